"""A queued message as its consumer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zope.interface import implementer

from mailer.interfaces.queue import IQueueEntry
from mailer.message.envelope import Envelope, Recipient

__all__ = ["QueueEntry"]


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
