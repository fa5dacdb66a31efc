"""One connection to a worker process: a request at a time, its content held up when the worker cannot keep pace."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from mailer.deliver.hands.framing import LostConnection, pack, unpack
from mailer.message.status import TemporaryError
from mailer.net.gate import Gate

__all__ = ["Lane"]

_GONE = "delivery worker process ended unexpectedly"
#: No answer is longer; a file that a worker reads for us is cut below this.
_MOST_ANSWER = 1 << 24


@implementer(IPushProducer)
class _Flow(Gate):
    """The transport's word for it."""

    __slots__ = ()

    def pauseProducing(self) -> None:
        self.pause()

    def resumeProducing(self) -> None:
        self.resume()

    def stopProducing(self) -> None:
        self.resume()


class Lane(Protocol):
    """:param ended: called with this lane when its connection is lost. ``lost`` tells so afterwards; ``began`` is its
    owner's: when the request under way was sent."""

    transport: Any

    def __init__(self, ended: Any) -> None:
        self._ended = ended
        self._answer: Deferred[tuple[dict[str, Any], bytes]] | None = None
        self._buffer = bytearray()
        self.lost = False
        self.began: float | None = None

    async def ask(self, request: dict[str, Any], content: Any = None) -> tuple[dict[str, Any], bytes]:
        """Send a request and wait for its answer.

        :param content: IContent, or None.
        :raise MailError: the worker has gone, or the content cannot be read.
        """
        if self.lost:
            raise TemporaryError(_GONE)
        answer = self._answer = Deferred()
        header = pack(request, content.size if content is not None else 0)
        try:
            if content is None:
                self.transport.write(header)
            elif content.inline is not None:
                self.transport.write(header + content.inline)
            else:
                self.transport.write(header)
                await self._stream(content)
        except BaseException:
            # Half a message cannot be taken back; the worker forgets it when the connection ends.
            self._answer = None
            self.transport.abortConnection()
            raise
        return await answer

    async def _stream(self, content: Any) -> None:
        flow = _Flow()
        self.transport.registerProducer(flow, True)
        try:
            async for piece in content.chunks():
                if self.lost:
                    return
                self.transport.write(piece)
                await flow.opened()
        finally:
            self.transport.unregisterProducer()

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        try:
            result = unpack(self._buffer)
            if result is None and len(self._buffer) > _MOST_ANSWER:
                raise LostConnection("an endless answer")
        except LostConnection:
            self.transport.abortConnection()
            return
        if result is None:
            return
        self._buffer.clear()
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.callback(result)

    def connectionLost(self, reason: Any = ConnectionDone) -> None:
        self.lost = True
        answer, self._answer = self._answer, None
        self._ended(self)
        if answer is not None:
            answer.errback(TemporaryError(_GONE))
