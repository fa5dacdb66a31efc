"""A mail transaction: from MAIL to the end of the message, RSET, or the end of the session (RFC 5321 3.3)."""

from __future__ import annotations

from typing import Any

from mailer.message.envelope import Envelope

__all__ = ["Transaction"]


class Transaction:
    """``writer`` is the sink's (None: no recipient accepted yet); ``size`` the content so far, in octets.

    ``recipients`` counts the accepted ones; ``sole`` is the only one of them, "" when there are none or several.
    ``first`` is the first of them. ``command`` is the client's MAIL. ``filtered``: the writer leads to the before-queue filter.
    ``intake``, ``after_cr`` and ``bare`` belong to BDAT, whose chunks come one by one.
    ``finished``: the message has been refused at its end, only RSET helps.
    """

    __slots__ = (
        "after_cr",
        "bare",
        "command",
        "envelope",
        "filtered",
        "finished",
        "first",
        "intake",
        "overshoot",
        "recipients",
        "size",
        "sole",
        "writer",
    )

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self.writer: Any = None
        self.recipients = 0
        self.overshoot = 0
        self.sole = self.first = ""
        self.command = ""
        self.filtered = False
        self.size = 0
        self.finished = False
        self.intake: Any = None
        self.after_cr = False
        self.bare = False

    @property
    def queue_id(self) -> str:
        return self.writer.queue_id if self.writer is not None else ""

    def accept(self, address: str) -> None:
        self.recipients += 1
        self.sole = address if self.recipients == 1 else ""
        self.first = self.first or address

    def abort(self) -> None:
        if self.writer is not None:
            self.writer.abort()
            self.writer = None
