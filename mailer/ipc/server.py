"""The side that is asked: what a daemon does for others, by verb.

    request   [verb, number, when, argument ...] body     number 0: no answer is wanted
    answers   [number, "ok", value ...] body
              [number, "error", what errors.dump_error makes]
              [number, "event", value ...] body           any number of them before one of the two above
    farewell  ["bye"]                                     no more requests, please: a successor takes them

``ping`` is answered here: it shows that the reactor turns. A peer that sends nonsense loses its connection. A request that was
sent half a minute ago was sent to a predecessor that did not read it: whoever asked has given it up, or will, and it must not
be carried out after all.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailer.ipc.errors import dump_error
from mailer.ipc.framing import FrameError
from mailer.ipc.wire import FrameProtocol
from mailer.message.status import MailError, TemporaryError
from mailer.net.driver import Driver

__all__ = ["Call", "Caller", "CallServer", "Verb"]

_fault = Logger()

_POLL = 0.05
#: Seconds; less than a caller waits for a sign of life.
_STALE = 30.0


class Call:
    """One request. It is answered once, by ``answer`` or ``fail``, at any time; nobody minds if the caller has gone."""

    __slots__ = ("arguments", "body", "caller", "number")

    def __init__(self, caller: Caller, number: int, arguments: list[Any], body: bytes) -> None:
        self.caller = caller
        self.number = number
        self.arguments = arguments
        self.body = body

    def answer(self, *values: Any, body: bytes = b"") -> None:
        self._send([self.number, "ok", *values], body)

    def event(self, *values: Any, body: bytes = b"") -> None:
        self._send([self.number, "event", *values], body)

    def fail(self, error: BaseException) -> None:
        """A MailError reaches the caller as it is; anything else is a fault, logged here."""
        if not isinstance(error, MailError):
            _fault.failure("a call from another daemon failed", Failure(error))
        self._send([self.number, "error", dump_error(error)], b"")

    def _send(self, header: list[Any], body: bytes) -> None:
        if not self.number or not self.caller.connected_now:
            return
        try:
            self.caller.send(header, body)
        except FrameError as error:
            self.caller.send([self.number, "error", dump_error(TemporaryError(str(error)))])

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Answer with what a coroutine returns (one value), or fail with what it raises."""

        async def answered() -> None:
            self.answer(await coroutine)

        Driver(answered(), self._over).resume()

    def _over(self, error: BaseException | None) -> None:
        if error is not None:
            self.fail(error)


#: Carries out a request; whatever it raises is the answer.
Verb = Callable[[Call], None]


class Caller(FrameProtocol):
    """A daemon that has called. ``gone`` are functions to call when its connection is lost."""

    def __init__(self, server: CallServer) -> None:
        super().__init__(server.reactor)
        self._server = server
        self.gone: list[Callable[[], None]] = []

    def connectionMade(self) -> None:
        super().connectionMade()
        self._server.callers.add(self)

    def frame(self, header: list[Any], body: bytes) -> None:
        if len(header) < 3 or type(header[1]) is not int or type(header[2]) is not float:
            raise FrameError(f"no request: {str(header)[:100]}")
        verb, number, sent = header[:3]
        call = Call(self, number, header[3:], body)
        if verb == "ping":
            call.answer()
            return
        execute = self._server.verbs.get(verb)
        if execute is None:
            raise FrameError(f"unknown request: {str(verb)[:100]}")
        if sent and self.heard - sent > _STALE:
            call.fail(TemporaryError("the request comes too late"))
            return
        try:
            execute(call)
        except Exception as error:  # the answer, whatever it is
            call.fail(error)

    def lost(self) -> None:
        self._server.callers.discard(self)
        gone, self.gone = self.gone, []
        for function in gone:
            function()


class CallServer(Factory):
    """:param reactor: IReactorTime. :param verbs: what is done, by verb."""

    noisy = False

    def __init__(self, reactor: Any, verbs: Mapping[str, Verb]) -> None:
        self.reactor = reactor
        self.verbs = dict(verbs)
        self.callers: set[Caller] = set()

    def buildProtocol(self, address: Any) -> Caller:
        caller = Caller(self)
        caller.factory = self
        return caller

    def leave(self) -> None:
        """Tell the callers that this process takes no more calls. They end their connections when all is answered."""
        for caller in self.callers:
            caller.send(["bye"])

    async def drain(self, seconds: float) -> None:
        """``leave``, and wait for the callers to go, at most so many seconds; then ``close``."""
        self.leave()
        end = self.reactor.seconds() + seconds
        while self.callers and self.reactor.seconds() < end:
            await deferLater(self.reactor, _POLL, lambda: None)
        self.close()

    def close(self) -> None:
        """End all connections; what is under way on them is lost to the callers."""
        for caller in list(self.callers):
            caller.flush()
            caller.transport.loseConnection()
