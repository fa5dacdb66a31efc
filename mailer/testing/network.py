"""A network in memory with a clock that stands still until it is told to go on.

Stands where a reactor is expected by code that connects to others (IReactorTime, IReactorTCP, IReactorUNIX as far as
clients use them). Octets arrive when the network settles, so nothing happens inside of a call that sends.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet import error
from twisted.internet.interfaces import IConsumer, ITransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["MemoryNetwork", "Wire"]


@implementer(ITransport, IConsumer)
class Wire:
    """One end of a connection. ``written`` is everything that was sent, one item a write; ``window`` bounds how many
    octets may be under way before the producer is paused (None: never)."""

    def __init__(self, network: MemoryNetwork, window: int | None = None) -> None:
        self.network = network
        self.window = window
        self.protocol: Any = None
        self.other: Wire = self
        self.connected = True
        self.disconnecting = False
        self.written: list[bytes] = []
        self.producer: Any = None
        self._unread = 0
        self._paused = False

    def write(self, data: bytes) -> None:
        if not self.connected or self.disconnecting or not data:
            return
        self.written.append(data)
        self._unread += len(data)
        self.network.soon(self._arrive, data)
        if self.window is not None and self._unread > self.window and self.producer is not None and not self._paused:
            self._paused = True
            self.producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def _arrive(self, data: bytes) -> None:
        self._unread -= len(data)
        if self.other.connected:
            self.other.protocol.dataReceived(data)
        if self._paused and self.producer is not None:
            self._paused = False
            self.producer.resumeProducing()

    def loseConnection(self) -> None:
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self.network.soon(self._close, error.ConnectionDone(), error.ConnectionDone())

    def abortConnection(self) -> None:
        if self.connected:
            self.network.soon(self._close, error.ConnectionAborted(), error.ConnectionLost())

    def _close(self, here: Exception, there: Exception) -> None:
        for end, reason in ((self, here), (self.other, there)):
            if end.connected:
                end.connected = False
                end.protocol.connectionLost(Failure(reason))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None
        self._paused = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        return None

    def getPeer(self) -> Any:
        return None

    getHost = getPeer


class MemoryNetwork(Clock):
    """``listeners`` maps ``(address, port)``, or a path, to a protocol factory; to an errno; or to None: nobody answers.

    An address that is not there refuses the connection. ``dialled`` records ``(address, port, own address)``; ``unusable``
    holds own addresses that cannot be had.
    """

    def __init__(self, listeners: dict[Any, Any] | None = None, window: int | None = None) -> None:
        super().__init__()
        self.listeners = dict(listeners or {})
        self.window = window
        self.dialled: list[tuple[str, int, str]] = []
        self.wires: list[Wire] = []
        self.unusable: set[str] = set()
        self._soon: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()

    def soon(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Call it when the network moves on (``callLater(0)`` without a clock's sorted list)."""
        self._soon.append((call, arguments))

    def connectTCP(self, host: str, port: int, factory: Any, timeout: Any = 30, bindAddress: Any = None) -> None:
        own = bindAddress[0] if bindAddress else ""
        self.dialled.append((host, port, own))
        if own in self.unusable:
            problem = error.ConnectBindError(errno.EADDRNOTAVAIL, "")
            self.soon(factory.clientConnectionFailed, None, Failure(problem))
            return
        self._connect(self.listeners.get((host, port), errno.ECONNREFUSED), factory, timeout)

    def connectUNIX(self, path: str, factory: Any, timeout: Any = 30) -> None:
        self.dialled.append((path, 0, ""))
        self._connect(self.listeners.get(path, errno.ENOENT), factory, timeout)

    def _connect(self, listener: Any, factory: Any, timeout: Any) -> None:
        if listener is None:
            if timeout is not None:
                self.callLater(timeout, factory.clientConnectionFailed, None, Failure(error.TimeoutError()))
        elif isinstance(listener, int):
            problem = error.ConnectError(listener, "")
            self.soon(factory.clientConnectionFailed, None, Failure(problem))
        else:
            self.soon(self._join, listener, factory)

    def _join(self, listener: Any, factory: Any) -> None:
        here, there = Wire(self, self.window), Wire(self)
        here.other, there.other = there, here
        self.wires.append(here)
        here.protocol, there.protocol = factory.buildProtocol(None), listener.buildProtocol(None)
        there.protocol.makeConnection(there)
        here.protocol.makeConnection(here)

    def settle(self) -> None:
        """Let everything happen that can happen without time passing."""
        for _ in range(1_000_000):
            if self._soon:
                call, arguments = self._soon.popleft()
                call(*arguments)
            elif self.calls and self.calls[0].getTime() <= self.seconds():
                self.advance(0)
            else:
                return
        raise AssertionError("does not settle")

    def until(self, done: Callable[[], bool], seconds: float = 10_000.0, step: float = 1.0) -> None:
        """Let time pass until ``done()``, for at most so many seconds."""
        end = self.seconds() + seconds
        self.settle()
        while not done() and self.seconds() < end:
            self.advance(step)
            self.settle()
        assert done(), f"not done after {seconds} seconds"
