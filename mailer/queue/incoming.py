"""One message on its way into the store: small content is gathered in memory, more than 64 KiB goes to a file."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailer.interfaces.sink import IMessageWriter
from mailer.message.codec import dump_envelope, dump_recipients
from mailer.message.envelope import Envelope, Recipient
from mailer.queue.batch import Insert
from mailer.queue.failure import as_mail_error
from mailer.queue.schema import BLOCK, Flag, State
from mailer.queue.size import message_size
from mailer.queue.spool import ContentFile

__all__ = ["INLINE_OCTETS", "IncomingMessage", "job"]

#: Up to this size content lives in the database.
INLINE_OCTETS = 65536


def job(message: Any, number: int, state: State, envelope: str, blocks: list[str]) -> Insert:
    """What the writer thread needs of a message.

    :param message: with ``queue_id``, ``envelope.arrival``, ``file``, ``data``, ``size``, ``octets`` and ``total``.
    :param number: the row. :param blocks: recipients, BLOCK of them in each text.
    """
    row = (
        number,
        message.queue_id,
        int(state),
        message.envelope.arrival,
        int(Flag.FILE) if message.file is not None else 0,
        message.size,
        message.octets,
        message.total,
        envelope,
        blocks[0],
    )
    further = [(number, place * BLOCK + 1, block) for place, block in enumerate(blocks[1:], 1)]
    return Insert(row, message.data, further, message)


@implementer(IMessageWriter)
class IncomingMessage:
    """See IMessageWriter. ``store`` is the SqliteQueue; the attributes after ``file`` are set by ``commit`` for it."""

    __slots__ = ("_chunks", "_ended", "_producer", "_store", "data", "durable", "envelope", "file", "octets", "queue_id",
                 "recipients", "size")  # fmt: skip

    def __init__(self, store: Any, envelope: Envelope, producer: Any, queue_id: str) -> None:
        self._store = store
        self._producer = producer
        self._chunks: list[bytes] = []
        self._ended = False
        self.envelope = envelope
        self.queue_id = queue_id
        self.recipients: list[Recipient] = []
        self.octets = 0
        self.size = 0
        self.file: ContentFile | None = None
        self.data: bytes | None = None
        self.durable: Deferred[str] | None = None

    def recipient(self, recipient: Recipient) -> None:
        known = self.recipients
        known.append(
            Recipient(recipient.address, recipient.original, recipient.notify, recipient.orcpt, len(known) + 1)
        )

    def write(self, chunk: bytes) -> None:
        if self._ended:
            return
        self.octets += len(chunk)
        if self.file is not None:
            self.file.write([chunk])
            return
        self._chunks.append(chunk)
        if self.octets > INLINE_OCTETS:
            self.file = self._store.content_file(self.queue_id, self._producer)
            chunks, self._chunks = self._chunks, []
            self.file.write(chunks)

    async def commit(self) -> str:
        if self._ended:
            raise RuntimeError("a message can be committed once, and not after abort")
        self._ended = True
        if self.file is None:
            self.data = b"".join(self._chunks)
            self._chunks = []
            self.size = message_size(self.data)
        else:
            await self._sync(self.file)
        self.durable = Deferred()
        try:
            self._store.insert(self)
        except BaseException:
            self.discard()
            raise
        return await self.durable

    async def _sync(self, file: ContentFile) -> None:
        try:
            await file.sync()
        except Exception as error:
            file.discard()
            raise as_mail_error(error) from error
        except BaseException:
            file.discard()
            raise
        self.size = file.size

    def job(self, number: int, state: State) -> Insert:
        """What the writer thread needs. ``number`` is the row."""
        return job(self, number, state, dump_envelope(self.envelope), self.blocks())

    def blocks(self) -> list[str]:
        """All recipients, as they are written."""
        recipients = self.recipients
        if len(recipients) <= BLOCK:
            return [dump_recipients(recipients)]
        return [dump_recipients(recipients[first : first + BLOCK]) for first in range(0, len(recipients), BLOCK)]

    @property
    def total(self) -> int:
        return len(self.recipients)

    def portion(self, most: int) -> list[Recipient]:
        """The first recipients."""
        return self.recipients[:most]

    def abort(self) -> None:
        if not self._ended:
            self._ended = True
            self._chunks = []
            self.discard()

    def discard(self) -> None:
        """Nothing of it stays."""
        if self.file is not None:
            self.file.discard()
