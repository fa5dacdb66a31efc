"""A queued message as its consumer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zope.interface import implementer

from mailer.interfaces.queue import IQueueEntry
from mailer.message.envelope import Envelope, Recipient
from mailer.queue.reading import Stored
from mailer.queue.schema import Flag

__all__ = ["QueueEntry", "entry_of"]


@implementer(IQueueEntry)
@dataclass(slots=True, eq=False)
class QueueEntry:
    """See IQueueEntry. ``number`` is the message's row, ``filed`` whether its content lies in a file of its own."""

    queue_id: str
    number: int
    envelope: Envelope
    recipients: list[Recipient]
    pending: int
    content: Any
    size: int
    arrival: float
    filed: bool
    attempts: int = 0
    bounced: int = 0
    warned: bool = False
    expired: bool = False
    nrcpt: int = 0


def entry_of(stored: Stored, content: Any) -> QueueEntry:
    """A message as it was read from its row. :param content: IContent."""
    return QueueEntry(
        stored.queue_id,
        stored.number,
        stored.envelope,
        stored.recipients,
        stored.total - stored.done,
        content,
        stored.size,
        stored.arrival,
        bool(stored.flags & Flag.FILE),
        stored.attempts,
        stored.bounced,
        bool(stored.flags & Flag.WARNED),
        bool(stored.flags & Flag.EXPIRED),
        stored.total,
    )
