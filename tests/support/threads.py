"""A clock whose threads do their work at once."""

from twisted.internet.task import Clock
from twisted.python.failure import Failure


class InlineThreads(Clock):
    """Clock, threads and their pool in one; whatever is put on a thread has happened when the call returns."""

    def getThreadPool(self):
        return self

    def callFromThread(self, function, *arguments, **keywords):
        function(*arguments, **keywords)

    def callInThreadWithCallback(self, result, function, *arguments, **keywords):
        try:
            value = function(*arguments, **keywords)
        except Exception:
            result(False, Failure())
        else:
            result(True, value)
