"""One connection to a before-queue content filter: a line is said, a reply awaited; or content is sent, and nothing awaited.

What is said, and what a reply means, is the caller's business.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailer.wire.smtp.replies import PeerReply, ReplyParser

__all__ = ["FilterConnection", "FilterLost", "connect"]


class FilterLost(Exception):
    """No reply comes any more. ``timeout`` tells whether that is because nothing came in time."""

    def __init__(self, reason: str, timeout: bool = False) -> None:
        super().__init__(reason)
        self.timeout = timeout


@implementer(IPushProducer)
class _Held:
    """Holds the client up while the filter does not keep pace. :param source: an IProducer."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def pauseProducing(self) -> None:
        self._source.pause()

    def resumeProducing(self) -> None:
        self._source.resume()

    def stopProducing(self) -> None:
        self._source.resume()


class FilterConnection(Protocol):
    """``timeout`` seconds are allowed for each reply. ``made`` fires when connected."""

    transport: Any

    def __init__(self, reactor: Any, timeout: float) -> None:
        self.made: Deferred[FilterConnection] = Deferred()
        self._reactor = reactor
        self._timeout = timeout
        self._parser = ReplyParser()
        self._replies: list[PeerReply] = []
        self._waiting: Deferred[PeerReply] | None = None
        self._lost: FilterLost | None = None

    async def ask(self, line: bytes) -> PeerReply:
        """Say something (``b""``: nothing, the greeting is due). :raise FilterLost: there is no reply."""
        if line and self._lost is None:
            self.transport.write(line)
        return await self._reply()

    def send(self, octets: bytes) -> None:
        """Content, or a command whose reply nobody waits for."""
        if self._lost is None:
            self.transport.write(octets)

    def hold_up(self, source: Any) -> None:
        """While content is sent ``source``, an IProducer, is paused when too much of it waits to be taken."""
        self.transport.registerProducer(_Held(source), True)

    def let_go(self) -> None:
        if self._lost is None:
            self.transport.unregisterProducer()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()

    async def _reply(self) -> PeerReply:
        if self._replies:
            return self._replies.pop(0)
        if self._lost is not None:
            raise self._lost
        waiting = self._waiting = Deferred()
        timer = self._reactor.callLater(self._timeout, self._give_up)
        try:
            return await waiting
        finally:
            if timer.active():
                timer.cancel()

    def _give_up(self) -> None:
        self._end(FilterLost("Connection timed out", timeout=True))
        self.transport.abortConnection()

    def _end(self, lost: FilterLost) -> None:
        self._lost = self._lost or lost
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(self._lost)

    # Twisted's side.

    def connectionMade(self) -> None:
        self.made.callback(self)

    def dataReceived(self, data: bytes) -> None:
        self._replies += self._parser.feed(data)
        if len(self._replies) > 10:  # nobody asked so much
            self._end(FilterLost("Protocol error"))
            self.transport.abortConnection()
            return
        if self._waiting is not None and self._replies:
            waiting, self._waiting = self._waiting, None
            waiting.callback(self._replies.pop(0))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(FilterLost("lost connection"))


class _Calling(ClientFactory):
    noisy = False

    def __init__(self, connection: FilterConnection) -> None:
        self._connection = connection

    def buildProtocol(self, addr: Any) -> FilterConnection:
        return self._connection

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        number = getattr(reason.value, "osError", None)
        text = os.strerror(number) if isinstance(number, int) else "Connection timed out"
        self._connection.made.errback(FilterLost(text))


async def connect(reactor: Any, host: str, port: int, timeout: float) -> FilterConnection:
    """:param host: an address, or a path when ``port`` is 0. :raise FilterLost: there is none; the text is errno's."""
    connection = FilterConnection(reactor, timeout)
    calling = _Calling(connection)
    if port:
        reactor.connectTCP(host, port, calling, timeout)
    else:
        reactor.connectUNIX(host, calling, timeout)
    return await connection.made
