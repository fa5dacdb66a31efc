"""One connection between two daemons: frames in, frames out, all of one turn of the reactor in one send."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from zope.interface import implementer

from mailer.ipc.framing import FrameError, Unpacker, pack
from mailer.net.prompt import read_plainly, send

__all__ = ["FrameProtocol"]

_fault = Logger()

#: Octets that are read at once. Content is in the frames, so that a turn may bring many messages.
_READ = 1 << 18
#: Frames that gather up to this size are sent without waiting for the turn's end.
_MUCH = 1 << 16
#: Seconds that a frame may wait for another one to travel with.
_MOMENT = 0.02


@implementer(IPushProducer)
class FrameProtocol(Protocol):
    """Subclasses have ``frame(header, body)`` for what comes, and ``lost()``.

    A peer that does not take what it is sent is not sent more without end: ``crowded`` then says so, and ``relieved()`` is
    called when there is room again.

    :param reactor: IReactorTime.
    """

    transport: Any

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._unpacker = Unpacker()
        self._out: list[bytes] = []
        self._gathered = 0
        self._due = False
        self._waiting = False
        self._receiving = False
        self.connected_now = False
        self.crowded = False
        self.heard = reactor.seconds()  #: when something came from the peer, in the reactor's seconds

    def frame(self, header: list[Any], body: bytes) -> None:
        raise NotImplementedError

    def lost(self) -> None:
        raise NotImplementedError

    def relieved(self) -> None:
        """There is room for more."""

    def connectionMade(self) -> None:
        self.connected_now = True
        self.transport.bufferSize = _READ
        read_plainly(self.transport)
        self.transport.registerProducer(self, True)

    def connectionLost(self, reason: Any = None) -> None:
        self.connected_now = False
        self._out.clear()
        self.lost()

    def dataReceived(self, data: bytes) -> None:
        self.heard = self._reactor.seconds()
        self._receiving = True
        try:
            for header, body in self._unpacker.feed(data):
                self.frame(header, body)
        except FrameError as error:
            _fault.error("the connection to another daemon is given up: {error}", error=error)
            self.transport.abortConnection()
        finally:
            self._receiving = False
            if self._out and not self._due:
                self.flush()

    def send(self, header: list[Any], body: bytes = b"") -> None:
        """Send a frame with the others of this turn. :raise FrameError: it is too long."""
        self._gather(pack(header, body))
        if not self._receiving and not self._due:
            self._due = True
            self._reactor.callLater(0, self._end_of_turn)

    def send_later(self, header: list[Any]) -> None:
        """Send a small frame with the next one, or in a moment."""
        self._gather(pack(header))
        if not self._waiting:
            self._waiting = True
            self._reactor.callLater(_MOMENT, self._end_of_moment)

    def _gather(self, data: bytes) -> None:
        self._out.append(data)
        self._gathered += len(data)
        if self._gathered >= _MUCH:
            self.flush()

    def _end_of_turn(self) -> None:
        self._due = False
        self.flush()

    def _end_of_moment(self) -> None:
        self._waiting = False
        self.flush()

    def flush(self) -> None:
        """Send what has gathered."""
        if self._out and self.connected_now:
            data = b"".join(self._out)
            self._out.clear()
            self._gathered = 0
            send(self.transport, data)

    # -- IPushProducer: the transport's buffer is full, or has room again

    def pauseProducing(self) -> None:
        self.crowded = True

    def resumeProducing(self) -> None:
        self.crowded = False
        self.relieved()

    def stopProducing(self) -> None:
        """The connection is being lost; ``lost`` comes next."""
