"""Threads for calls that may block, and connections that must not be left blocking.

The threads are daemons: one that a dead server holds up keeps no service from ending. Knows nothing of data bases.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["Workers"]

T = TypeVar("T")


class Workers:
    """Up to ``most`` threads, started when there is work for them. With a reactor that has no threads (a command's) work is
    done where it is given."""

    def __init__(self, reactor: Any, most: int) -> None:
        self._reactor = reactor
        self._most = most
        self._direct = getattr(reactor, "getThreadPool", None) is None
        self._work: SimpleQueue[tuple[Callable[[], Any], Deferred[Any]] | None] = SimpleQueue()
        self._threads = 0
        self._unfinished = 0

    async def run(self, function: Callable[[], T], interrupt: Callable[[], None]) -> T:
        """What ``function()`` returns or raises.

        :param interrupt: called when nobody waits any longer; makes ``function`` end soon.
        """
        if self._direct:
            return function()
        done: Deferred[T] = Deferred(lambda cancelled: interrupt())
        self._unfinished += 1
        if self._threads < self._most and self._threads < self._unfinished:
            self._threads += 1
            Thread(target=self._labour, daemon=True, name="mailer-sql").start()
        self._work.put((function, done))
        waiting: Awaitable[T] = done
        return await waiting

    def stop(self) -> None:
        """The threads end when they have done what they were given."""
        for _ in range(self._threads):
            self._work.put(None)
        self._threads = 0

    def _labour(self) -> None:
        while (work := self._work.get()) is not None:
            function, done = work
            try:
                result: Any = function()
            except BaseException:  # whatever it is, whoever waits has to hear of it
                result = Failure()
            self._reactor.callFromThread(self._finished, done, result)
            del work, function, done, result

    def _finished(self, done: Deferred[Any], result: Any) -> None:
        self._unfinished -= 1
        if not done.called:
            done.callback(result)  # a Failure starts the errback chain
