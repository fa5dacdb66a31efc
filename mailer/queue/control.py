"""The queue for local users who may not touch it: a listing and a wish to flush, over a UNIX socket.

What Postfix's showq(8), flush(8) and qmgr(8) sockets do for postqueue(1). The client sends one line, the server answers and
closes:

    list              one JSON object a line, as ``postqueue -j`` prints them
    flush             deliver everything now; the answer is ``ok``
    flush-id QUEUE_ID
    flush-site DOMAIN

Any other line, or one over 1000 octets, ends the connection. An answer is sent no faster than it is read; a client that takes
nothing for a minute is dropped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.protocols.policies import TimeoutMixin
from zope.interface import implementer

from mailer.message.listing import QueueListing
from mailer.message.queueid import is_queue_id
from mailer.queue.mailq import json_lines

__all__ = ["QueueControl", "QueueControlFactory"]

_faults = Logger()
_MOST_LINE = 1000
_PATIENCE = 60


@implementer(IPushProducer)
class QueueControl(Protocol, TimeoutMixin):
    """One request."""

    def __init__(self, queue: Any, reactor: Any) -> None:
        self._queue = queue
        self._reactor = reactor
        self._received = b""
        self._answering: Deferred[None] | None = None
        self._paused: Deferred[None] | None = None

    def callLater(self, seconds: float, function: Any) -> Any:
        """TimeoutMixin's clock."""
        return self._reactor.callLater(seconds, function)

    def connectionMade(self) -> None:
        self.setTimeout(_PATIENCE)
        self.transport.registerProducer(self, True)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        if self._answering is not None:
            return
        self._received += data
        line, end, _ = self._received.partition(b"\n")
        if end:
            words = line.decode("ascii", "replace").split()
            self._answering = Deferred.fromCoroutine(self._answer(words))
            self._answering.addErrback(self._failed)
        elif len(self._received) > _MOST_LINE:
            self.transport.abortConnection()  # type: ignore[union-attr]

    async def _answer(self, words: list[str]) -> None:
        if words == ["list"]:
            await self._list()
        elif words == ["flush"]:
            await self._flush()
        elif len(words) == 2 and words[0] == "flush-id" and is_queue_id(words[1]):
            await self._flush(queue_ids=[words[1]])
        elif len(words) == 2 and words[0] == "flush-site":
            await self._flush(domain=words[1])
        self.transport.unregisterProducer()  # type: ignore[union-attr]
        self.transport.loseConnection()  # type: ignore[union-attr]

    async def _flush(self, **what: Any) -> None:
        await self._queue.flush(**what)
        self.transport.write(b"ok\n")  # type: ignore[union-attr]

    async def _list(self) -> None:
        rows: AsyncIterator[QueueListing] = self._queue.listing()
        async for row in rows:
            if row.state != "corrupt":
                (line,) = json_lines([row])
                self.transport.write(line.encode("utf-8", "replace") + b"\n")  # type: ignore[union-attr]
            if self._paused is not None:
                await self._paused

    def _failed(self, failure: Any) -> None:
        if self._received:
            _faults.failure("queue control", failure)
        self.transport.abortConnection()  # type: ignore[union-attr]

    # -- IPushProducer: the transport's buffer is full, or has room again

    def pauseProducing(self) -> None:
        if self._paused is None:
            self._paused = Deferred()

    def resumeProducing(self) -> None:
        self.resetTimeout()
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.callback(None)

    def stopProducing(self) -> None:
        self._give_up()

    def timeoutConnection(self) -> None:
        self.transport.abortConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Any = None) -> None:
        self.setTimeout(None)
        self._give_up()

    def _give_up(self) -> None:
        """Nobody reads on: end the listing where it is."""
        self._received = b""
        answering, self._answering = self._answering, None
        if answering is not None:
            answering.cancel()


class QueueControlFactory(Factory):
    """For the UNIX sockets ``public/showq``, ``public/flush`` and ``public/qmgr``.

    :param queue: an IQueue.
    """

    noisy = False

    def __init__(self, queue: Any, reactor: Any) -> None:
        self._queue = queue
        self._reactor = reactor

    def buildProtocol(self, address: Any) -> QueueControl:
        protocol = QueueControl(self._queue, self._reactor)
        protocol.factory = self
        return protocol
