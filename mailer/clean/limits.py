"""message_size_limit: the message is read to its end, but no longer kept once it is too big."""

from __future__ import annotations

from mailer.clean.passage import Passage, Writer
from mailer.message.envelope import Recipient
from mailer.message.status import PermanentError

__all__ = ["SizeStep"]


class SizeStep:
    """:param limit: message_size_limit in octets, 0 for none."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def open(self, passage: Passage, writer: Writer) -> Writer:
        return _SizeWriter(self.limit, passage, writer) if self.limit else writer


class _SizeWriter:
    __slots__ = ("_left", "_next", "_passage", "_write", "queue_id")

    def __init__(self, limit: int, passage: Passage, writer: Writer) -> None:
        self._left = limit
        self._next = writer
        self._write = writer.write
        self._passage = passage
        self.queue_id = writer.queue_id

    def recipient(self, recipient: Recipient) -> None:
        self._next.recipient(recipient)

    def write(self, chunk: bytes) -> None:
        left = self._left
        self._left = left - len(chunk)
        if self._left >= 0:
            self._write(chunk)
        elif left >= 0:
            self._write(chunk[:left])  # other rules have their say about what fits
            self._passage.refuse(PermanentError("Error: message file too big", "5.3.4", 552))

    async def commit(self) -> str:
        return await self._next.commit()

    def abort(self) -> None:
        self._next.abort()
