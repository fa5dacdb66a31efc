"""Replies and outcomes: what is said to a peer, and what became of a recipient.

A `Reply` is what an SMTP server says (RFC 5321 4.2, RFC 3463). A `MailError` carries one, with the private cause kept
apart from the public text; whoever does not know better says "temporary". An `Outcome` is the fate of one recipient in
one delivery attempt, with everything that a log line and a delivery status notification (RFC 3464) need.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Fate", "MailError", "Outcome", "PermanentError", "Reply", "TemporaryError"]


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply. ``text`` may hold several lines, separated by ``\\n``; ``enhanced`` is "" or like ``5.7.1``."""

    code: int
    enhanced: str
    text: str

    @property
    def temporary(self) -> bool:
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        return self.code >= 500

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}" if self.enhanced else f"{self.code} {self.text}"


class MailError(Exception):
    """Something that could not be done, with the reply that tells the peer so and the cause that only the log sees."""

    def __init__(self, reply: Reply, cause: str = "") -> None:
        super().__init__(str(reply) if not cause else f"{reply} ({cause})")
        self.reply = reply
        self.cause = cause


class TemporaryError(MailError):
    """Cannot tell now, cannot do now: try again later."""

    def __init__(self, cause: str, enhanced: str = "4.3.0", text: str = "Error: try again later", code: int = 451):
        super().__init__(Reply(code, enhanced, text), cause)


class PermanentError(MailError):
    """Will not work however often it is tried."""

    def __init__(self, text: str, enhanced: str = "5.3.0", code: int = 550, cause: str = ""):
        super().__init__(Reply(code, enhanced, text), cause)


class Fate(Enum):
    """What became of a recipient; the values are the words of the log's ``status=``."""

    SENT = "sent"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    DELIVERABLE = "deliverable"  # probes only: address verification, sendmail -bv
    UNDELIVERABLE = "undeliverable"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one recipient in one delivery attempt.

    ``status`` is an RFC 3463 code whose class agrees with the fate. ``text`` is what the log shows in parentheses, for
    example ``delivered to maildir`` or ``host mx.example[192.0.2.1] said: 550 5.1.1 no such user (in reply to RCPT TO
    command)``. ``relay`` is the log's ``relay=``: ``mx.example[192.0.2.1]:25``, ``local``, ``virtual`` or ``none``.
    ``connected`` is when the transport was ready to hand the message over (None: it never was), for ``delays=``.
    ``remote_mta`` (a host name) and ``diagnostic`` (the peer's reply, verbatim) feed the DSN; both may be empty.
    ``diagnostic_type`` says whose words it is: an SMTP server's, or a command's (``x-unix``).
    ``action`` overrides the DSN action (``delivered``, ``relayed``, ``expanded``) for SENT: a relay that does not pass
    DSN on reports ``relayed``. ``dsn_passed_on`` says that the next host has taken over success notices.
    ``service`` is the transport that the recipient was passed on to, if it was: the log line is then that one's.
    ``conn_use`` is how many deliveries the connection has served, this one included (the log names it from 2 on).
    """

    fate: Fate
    status: str
    text: str
    relay: str = "none"
    connected: float | None = None
    remote_mta: str = ""
    diagnostic: str = ""
    action: str = ""
    dsn_passed_on: bool = False
    conn_use: int = 1
    diagnostic_type: str = "smtp"
    service: str = ""

    @classmethod
    def sent(cls, text: str, status: str = "2.0.0", **more: object) -> Outcome:
        return cls(Fate.SENT, status, text, **more)  # type: ignore[arg-type]

    @classmethod
    def deferred(cls, text: str, status: str = "4.0.0", **more: object) -> Outcome:
        return cls(Fate.DEFERRED, status, text, **more)  # type: ignore[arg-type]

    @classmethod
    def bounced(cls, text: str, status: str = "5.0.0", **more: object) -> Outcome:
        return cls(Fate.BOUNCED, status, text, **more)  # type: ignore[arg-type]
