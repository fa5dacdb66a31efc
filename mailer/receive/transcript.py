"""What was said in sessions with errors, mailed to the postmaster (postconf(5): notify_classes, error_notice_recipient).

A transcript holds commands and replies, never content or what AUTH says; its oldest lines go when it grows
(smtpd_history_flush_threshold). Errors fall into classes: ``protocol`` (the client breaks rules), ``policy`` (an access
check says no), ``resource`` and ``software`` (it is our trouble). Only sessions with an error of a wanted class are mailed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from mailer.message.address import encode, quote
from mailer.message.date import mail_date
from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import MailError

__all__ = ["Transcript", "Transcripts"]

CLASSES = frozenset(("protocol", "policy", "resource", "software", "data"))
_UNFILTERED = frozenset(("no_header_body_checks", "no_milters"))
_WIDTH = 78


class Transcript:
    """One session's. :param wanted: the classes of errors that the postmaster wants to hear of."""

    __slots__ = ("_lines", "_wanted", "due", "refusing")

    def __init__(self, wanted: frozenset[str], most: int) -> None:
        self._wanted = wanted
        self._lines: deque[str] = deque(maxlen=max(most, 1))
        self.due = False
        #: The class of the error that the next refusal tells of; "" leaves that to its code.
        self.refusing = ""

    def heard(self, line: str) -> None:
        words = line.split(None, 2)
        if words and words[0].upper() == "AUTH":
            line = " ".join(words[:2])
        self._lines.append(f" In:  {line}")

    def said(self, octets: bytes) -> None:
        text = octets.decode("utf-8", "surrogateescape")
        self._lines.extend(f" Out: {line}" for line in text.rstrip("\r\n").split("\r\n"))

    def refused(self, reply: str) -> None:
        """:param reply: its first line. What it says is told to `said`, too."""
        kind, self.refusing = self.refusing or _kind(reply), ""
        self.due = self.due or kind in self._wanted

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)


def _kind(reply: str) -> str:
    """What a refusal without a check behind it is about, by its code (RFC 5321 4.2, RFC 3463)."""
    if reply.startswith("452 4.5.3"):  # more recipients than we allow
        return "policy"
    if reply.startswith(("452", "431")):
        return "resource"
    if (reply[:1] == "4" and " 4.3." in reply[:10]) or reply.startswith("454 4.7.0 TLS not available"):
        return "software"
    return "protocol"


class Transcripts:
    """For all sessions of a service. :param context: settings, clock and log. :param sink: takes the notices."""

    def __init__(self, context: Any, sink: Any) -> None:
        settings = context.settings
        self._wanted = CLASSES & frozenset(settings.notify_classes)
        self._most = settings.smtpd_history_flush_threshold
        self._recipient = settings.error_notice_recipient
        self._sender = f"{settings.double_bounce_sender}@{settings.myhostname}"
        self._daemon = f"Mail Delivery System <MAILER-DAEMON@{settings.myorigin}>"
        self._host = settings.myhostname
        self._mail_name = settings.mail_name
        self._overrides = frozenset() if "notify" in settings.internal_mail_filter_classes else _UNFILTERED
        self._seconds = context.seconds
        self._log = context.log
        self._sink = sink

    def open(self) -> Transcript | None:
        """For one session; None if nobody wants any."""
        return Transcript(self._wanted, self._most) if self._wanted else None

    async def send(self, transcript: Transcript, client: str, reason: str) -> None:
        """Mail it, if it holds an error that the postmaster wants to know. :param reason: why the session ended early."""
        if not transcript.due:
            return
        now = self._seconds()
        envelope = Envelope(self._sender, source="notify", context="local", arrival=now, overrides=self._overrides)
        writer = None
        try:
            writer = self._sink.open(envelope)
            writer.recipient(Recipient(self._recipient, self._recipient))
            lines = [*self._head(client, writer.queue_id, now), *_body(transcript, reason)]
            writer.write(encode("".join(line + "\r\n" for line in lines)))
            await writer.commit()
        except MailError as error:
            if writer is not None:
                writer.abort()
            self._log.warning(f"postmaster notify problem: {error.cause or error.reply}")

    def _head(self, client: str, queue_id: str, now: float) -> Iterable[str]:
        date = mail_date(time.localtime(now))
        yield f"Received: by {self._host} ({self._mail_name})"
        yield f"\tid {queue_id}; {date}"
        yield f"Date: {date}"
        yield f"From: {self._daemon}"
        yield f"To: Postmaster <{quote(self._recipient)}>"
        yield f"Subject: {self._mail_name} SMTP server: errors from {client}"
        yield ""


def _body(transcript: Transcript, reason: str) -> Iterable[str]:
    yield "Transcript of session follows."
    yield ""
    for line in transcript:
        yield from _wrapped(line)
    yield ""
    if reason:
        yield f"Session aborted, reason: {reason}"
    yield ""
    yield "For other details, see the local mail logfile"


def _wrapped(line: str) -> Iterable[str]:
    """Broken at white space, where there is some; the space in front of each line does not count."""
    text, indent = line[1:], " "
    while len(text) > (width := _WIDTH + 1 - len(indent)) and (cut := text.rfind(" ", 7, width + 1)) > 0:
        yield indent + text[:cut]
        text, indent = text[cut + 1 :], " " * 5
    yield indent + text
