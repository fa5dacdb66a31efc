"""An SMTP session's coroutine on a Twisted connection: input to it, replies from it, time limits, back-pressure.

The coroutine asks for a command line or a piece of content and is resumed when there is one. What it replies is kept until it
waits for input, so the replies to one chunk leave in one write. It is told of a lost connection and of an expired time
limit by the exceptions Lost and TimedOut, when it next waits. Knows no commands, replies or settings.

Under TLS the octets pass through a TlsLayer on their way in and out; everything else stays as it is, back-pressure too.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailer.interfaces.sink import IProducer
from mailer.net.driver import PARK, Driver
from mailer.net.prompt import send
from mailer.net.sweep import NEVER, Sweep
from mailer.tls.layer import TlsFailed, TlsLayer
from mailer.wire.smtp.server import ServerMachine

__all__ = ["Lost", "ServerConnection", "TimedOut"]

#: Octets of input behind a busy session beyond which nothing more is read from the network.
_MOST_INPUT = 65536
#: Replies beyond which they are sent though more commands wait.
_MOST_REPLIES = 100
#: Seconds that a peer has to take the last replies before the connection is dropped.
_LINGER = 30.0


_fault = Logger()


class Lost(Exception):
    """The connection is gone and its input is used up."""


class TimedOut(Exception):
    """The peer did not send what was awaited, or did not read what it was sent, in time."""


@implementer(IPushProducer, IHalfCloseableProtocol, IProducer)
class ServerConnection(Protocol):
    """One accepted connection.

    :param serve: makes the session's coroutine; called with this object when the connection is made.
    :param sweep: watches the time limits.
    :param timeout: seconds that the peer has for each command or each piece of content.
    :param per_request: the limit is for the whole command or message instead of for each piece of it.
    :param data_rate: with ``per_request``, content extends the limit by a second for as many octets (0: it does not).

    ``tls_failure`` is what ended a TLS connection before its time, if something did.
    """

    deadline = NEVER
    _at_end = False
    _lost = False
    _timed_out = False
    _reading = True
    _held = False
    _blocked = False
    _driver: Driver | None = None
    _layer: TlsLayer | None = None
    tls_failure: TlsFailed | None = None

    def __init__(
        self,
        serve: Callable[[ServerConnection], Coroutine[Any, None, None]],
        sweep: Sweep,
        timeout: float,
        line_limit: int = 2048,
        per_request: bool = False,
        data_rate: int = 0,
    ) -> None:
        self.machine = ServerMachine(line_limit)
        self.timeout = timeout
        self.per_request = per_request
        self.data_rate = data_rate
        self._serve = serve
        self._sweep = sweep
        self._replies: list[bytes] = []

    # What the session asks for.

    async def preface(self, length: Callable[[bytes], int], most: int, seconds: float) -> bytes:
        """What comes before SMTP begins.

        :param length: tells its length from what has come so far, 0: not yet; is given no more than ``most`` octets.
        :param seconds: for all of it. :raise: what ``length`` raises, Lost, TimedOut.
        """
        machine = self.machine
        ordinary = self.timeout, self.per_request
        self.timeout, self.per_request = seconds, True
        self.deadline = self._sweep.seconds() + seconds
        while True:
            octets = machine.peek(most)
            count = length(octets) if octets else 0
            if count:
                break
            await self._more()
        self.timeout, self.per_request = ordinary
        self.deadline = NEVER
        return machine.take(count)

    async def line(self) -> bytes:
        """The next command line, without its line end.

        :raise Lost: there will be no more. :raise TimedOut: none came in time.
        """
        if len(self._replies) > _MOST_REPLIES:
            self.flush()
            while self._blocked:
                await self._more()
        line = self.machine.line()
        if line is not None:
            return line
        if self.per_request:
            self.deadline = self._sweep.seconds() + self.timeout
        while line is None:
            await self._more()
            line = self.machine.line()
        self.deadline = NEVER
        return line

    async def content(self) -> bytes:
        """The next piece of content, not empty unless it is the last; see ``machine.reader.ended``.

        :raise Lost: the rest will not come. :raise TimedOut: no more came in time.
        """
        machine = self.machine
        piece = machine.content()
        while not piece and not machine.reader.ended:
            await self._more()
            piece = machine.content()
        return piece

    def reply(self, octets: bytes) -> None:
        """Say something, no later than when the session waits for input."""
        self._replies.append(octets)

    def flush(self) -> None:
        """Send what has been said so far."""
        replies = self._replies
        if replies:
            octets = replies[0] if len(replies) == 1 else b"".join(replies)
            replies.clear()
            if self._lost:
                return
            if self._layer is None:
                send(self.transport, octets)
            else:
                self._encrypt(self._layer, octets)

    async def start_tls(self, layer: TlsLayer, timeout: float, fresh: bool = False) -> None:
        """Say what there is to say, forget what came too early (RFC 3207 4.2), and shake hands.

        :param timeout: seconds for each step of it.
        :param fresh: TLS begins with the connection, so what has come is its beginning.
        :raise TlsFailed, Lost, TimedOut: there is no connection any more.
        """
        self.flush()
        early = self.machine.take(self.machine.pending) if fresh else b""
        self.machine.discard_input()
        self._layer = layer
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:  # session tickets and the first reply are two writes; the second would wait 40 ms
            set_no_delay(True)
        ordinary = self.timeout, self.per_request
        self.timeout, self.per_request = timeout, False
        if early:
            self._decrypt(layer, early)
            if self.tls_failure is not None:
                raise self.tls_failure
        while not layer.established:
            await self._more()
            if self.tls_failure is not None:
                raise self.tls_failure
        self.timeout, self.per_request = ordinary

    async def sleep(self, seconds: float) -> None:
        """Wait, replies unsent; less long if the connection is lost."""
        due: list[bool] = []
        call = self._sweep.clock.callLater(seconds, self._woken, due)
        while not due and not self._lost:
            await PARK
        if call.active():
            call.cancel()

    @property
    def at_end(self) -> bool:
        """Whether the peer has sent all that it will send."""
        return self._at_end

    async def event(self) -> None:
        """Wait until something happens: input comes or ends, or somebody nudges. No time limit of its own."""
        self.flush()
        if not self._reading:
            self._regulate()
        await PARK

    def nudge(self) -> None:
        """The session waits for more than its peer, and that has happened."""
        self._wake()

    def begin_message(self) -> None:
        """With ``per_request``: the time for a message starts now."""
        if self.per_request:
            self.deadline = self._sweep.seconds() + self.timeout

    def end_message(self) -> None:
        self.deadline = NEVER

    # IProducer: a sink that cannot keep pace holds us up.

    def pause(self) -> None:
        self._held = True
        self._regulate()

    def resume(self) -> None:
        self._held = False
        if self.deadline is not NEVER:
            self.deadline = self._sweep.seconds() + self.timeout
        self._regulate()

    # Twisted's side.

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.registerProducer(self, True)
        self._sweep.add(self)
        self._driver = Driver(self._serve(self), self._ended)
        self._driver.resume()

    def dataReceived(self, data: bytes) -> None:
        if self._layer is not None:
            self._decrypt(self._layer, data)
        else:
            self.machine.receive(data)
        driver = self._driver
        if driver is None:
            return
        if driver.parked:
            if self.per_request:
                self._extend(len(data))
            driver.resume()
        if self.machine.pending > _MOST_INPUT:
            self._regulate()

    def _encrypt(self, layer: TlsLayer, octets: bytes) -> None:
        if self.tls_failure is None:
            try:
                layer.send(octets)
            except TlsFailed as failure:
                self.tls_failure = failure
                self._at_end = True
            self._send_encrypted()

    def _decrypt(self, layer: TlsLayer, data: bytes) -> None:
        if self._at_end or self.tls_failure is not None:
            return
        try:
            octets = layer.receive(data)
        except TlsFailed as failure:
            self.tls_failure = failure
            self._at_end = True
        else:
            if octets:
                self.machine.receive(octets)
            self._at_end = layer.ended
        self._send_encrypted()

    def _send_encrypted(self) -> None:
        """Whatever the layer has to say: data, its part of the handshake, an alert."""
        assert self._layer is not None
        octets = self._layer.take()
        if octets and not self._lost:
            send(self.transport, octets)

    def readConnectionLost(self) -> None:
        """The peer sends no more, but may well read what we still have to say."""
        self._at_end = True
        self._wake()

    def writeConnectionLost(self) -> None:
        """We never close one direction alone."""

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        self._at_end = self._lost = True
        self._blocked = False
        self._sweep.discard(self)
        self._wake()

    def expired(self, now: float) -> None:
        """The time limit has passed (called by the sweep)."""
        if self._driver is None:
            transport: Any = self.transport
            transport.abortConnection()
        elif self._held:
            self.deadline = now + self.timeout  # it is not the peer who is slow
        else:
            self.deadline = NEVER
            self._timed_out = True
            self._wake()

    # IPushProducer: the peer does not read our replies as fast as we write them.

    def pauseProducing(self) -> None:
        self._blocked = True
        self._regulate()

    def resumeProducing(self) -> None:
        self._blocked = False
        self._regulate()
        self._wake()

    def stopProducing(self) -> None:
        """The connection is about to be lost; connectionLost follows."""

    # Inside.

    async def _more(self) -> None:
        """Wait until something has happened that may have brought input."""
        self.flush()
        if self._timed_out:
            raise TimedOut
        if self._at_end:
            raise Lost
        if not self.per_request or self.deadline is NEVER:
            self.deadline = self._sweep.seconds() + self.timeout
        if not self._reading:
            self._regulate()
        await PARK
        if self._timed_out:
            raise TimedOut
        if not self.per_request:
            self.deadline = NEVER

    def _extend(self, count: int) -> None:
        if self.data_rate and self.machine.in_content:
            latest = self._sweep.seconds() + self.timeout
            self.deadline = min(latest, self.deadline + count / self.data_rate)

    def _regulate(self) -> None:
        wanted = not (self._held or self._blocked or self.machine.pending > _MOST_INPUT)
        if wanted != self._reading and not self._at_end:
            self._reading = wanted
            transport: Any = self.transport
            if wanted:
                transport.resumeProducing()
            else:
                transport.pauseProducing()

    def _woken(self, due: list[bool]) -> None:
        due.append(True)
        self._wake()

    def _wake(self) -> None:
        if self._driver is not None and self._driver.parked:
            self._driver.resume()

    def _ended(self, error: BaseException | None) -> None:
        if error is not None:
            _fault.failure("a session broke off", Failure(error))
        self._driver = None
        if not self._lost:
            self.flush()
            if self._layer is not None and self.tls_failure is None:
                self._layer.close()
                self._send_encrypted()
            self.deadline = self._sweep.seconds() + _LINGER
            transport: Any = self.transport
            transport.unregisterProducer()
            transport.loseConnection()
