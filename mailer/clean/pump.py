"""Content through a step that may have to wait for a table: strictly in order, holding what arrives meanwhile.

No Deferred is made for content that needs no waiting.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from twisted.internet.defer import Deferred

from mailer.clean.passage import Passage, Writer
from mailer.message.envelope import Recipient
from mailer.message.status import MailError
from mailer.net.driver import Driver

__all__ = ["PumpingWriter"]


class PumpingWriter(ABC):
    """A step's writer. Subclasses implement ``process`` and ``finish``; both may raise MailError to refuse the message.

    A refusal, or a failure that is nobody's intention, is kept for ``commit``, and further content falls.
    """

    __slots__ = ("_busy", "_done", "_fault", "_held", "_next", "_paused", "_stopped", "passage", "queue_id")

    def __init__(self, passage: Passage, writer: Writer) -> None:
        self.passage = passage
        self.queue_id = writer.queue_id
        self._next = writer
        self._held: deque[bytes] = deque()
        self._busy = self._paused = self._stopped = False
        self._fault: BaseException | None = None
        self._done: Deferred[None] | None = None  # commit waits for this

    @abstractmethod
    async def process(self, chunk: bytes) -> None:
        """Take some content and write on what is to be kept, with ``self.pass_on``."""

    @abstractmethod
    async def finish(self) -> None:
        """The content is complete."""

    def pass_on(self, chunk: bytes) -> None:
        if not self._stopped:
            self._next.write(chunk)

    def recipient(self, recipient: Recipient) -> None:
        self._next.recipient(recipient)

    def write(self, chunk: bytes) -> None:
        if self._stopped or self._fault is not None or self.passage.refusal is not None:
            return
        self._held.append(chunk)
        if not self._busy:
            self._busy = True
            Driver(self._drain(), self._drained).resume()
        elif not self._paused and self.passage.producer is not None:
            self._paused = True
            self.passage.producer.pause()

    async def commit(self) -> str:
        if self._busy:
            self._done = Deferred()
            await self._done
        if self._fault is not None:
            raise self._fault
        if self.passage.refusal is None:
            try:
                await self.finish()
            except MailError as error:
                self.passage.refuse(error)
        return await self._next.commit()

    def abort(self) -> None:
        self._stopped = True
        self._held.clear()
        self._next.abort()

    async def _drain(self) -> None:
        try:
            while self._held and not self._stopped:
                await self.process(self._held.popleft())
        except MailError as error:
            self.passage.refuse(error)

    def _drained(self, fault: BaseException | None) -> None:
        self._busy = False
        self._fault = fault
        if fault is not None or self.passage.refusal is not None:
            self._held.clear()
        if self._paused and self.passage.producer is not None:
            self._paused = False
            self.passage.producer.resume()
        if self._done is not None:
            self._done.callback(None)
