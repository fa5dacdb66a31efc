"""Fields that every message should have, added for local clients (always_add_missing_headers: for all): Message-Id, Date,
From, and To if undisclosed_recipients_header says so. A message that is sent on gets Resent- ones (RFC 5322 3.6.6)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from mailer.clean.fields import RESENT_FIELDS
from mailer.clean.passage import Passage
from mailer.message.address import encode, quote
from mailer.message.date import mail_date
from mailer.message.header import Field

__all__ = ["MissingFields", "sender_text"]

_NOTED = RESENT_FIELDS | {b"from", b"date", b"message-id", b"to", b"cc"}
_DISCLOSED = frozenset((b"to", b"cc", b"resent-to", b"resent-cc"))
_NEEDS_QUOTES = re.compile(r'[()<>\[\]:;@\\,."]').search
_TO_ESCAPE = re.compile(r'(["\\])')


def sender_text(address: str, fullname: str, obsolete: bool) -> str:
    """The body of a From field. :param obsolete: the name as a comment (header_from_format)."""
    if not address:
        return "MAILER-DAEMON"
    external = quote(address)
    if not fullname:
        return external
    if obsolete:
        return f"{external} ({fullname})"
    name = '"' + _TO_ESCAPE.sub(r"\\\1", fullname) + '"' if _NEEDS_QUOTES(fullname) else fullname
    return f"{name} <{external}>"


class MissingFields:
    """The rule's settings; calling it makes the rule for one message."""

    def __init__(self, settings: Any, seconds: Callable[[], float]) -> None:
        # What strangers send is either left alone altogether or treated as our own.
        self.always = settings.always_add_missing_headers or bool(settings.remote_header_rewrite_domain)
        self.hostname = settings.myhostname
        self.obsolete_from = settings.header_from_format == "obsolete"
        self.seconds = seconds
        name, _, body = settings.undisclosed_recipients_header.partition(":")
        self.undisclosed = [(encode(name), encode(body) + b"\r\n")] if name else []

    def __call__(self, passage: Passage) -> _MissingRule:
        return _MissingRule(self, passage)


class _MissingRule:
    __slots__ = ("_passage", "_seen", "_settings", "_wanted")

    def __init__(self, settings: MissingFields, passage: Passage) -> None:
        self._settings = settings
        self._passage = passage
        self._wanted = settings.always or passage.envelope.context == "local"
        self._seen: set[bytes] = set()

    async def fields(self, fields: list[Field]) -> list[Field]:
        if self._wanted:
            self._seen.update([key for name, _ in fields if (key := name.lower()) in _NOTED])
        return fields

    async def end(self) -> list[Field]:
        passage = self._passage
        added = await self._missing() if self._wanted else []
        if not passage.message_id_logged:
            passage.note_message_id("message-id", "<>")
        return added

    async def _missing(self) -> list[Field]:
        settings, passage, seen = self._settings, self._passage, self._seen
        resent = not RESENT_FIELDS.isdisjoint(seen)
        mark, prefix = (b"resent-", b"Resent-") if resent else (b"", b"")
        added: list[Field] = []
        if mark + b"message-id" not in seen:
            stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(settings.seconds()))
            message_id = f"<{stamp}.{passage.queue_id}@{settings.hostname}>"
            added.append((prefix + b"Message-Id", encode(f" {message_id}\r\n")))
            passage.note_message_id((mark + b"message-id").decode(), message_id)
        if mark + b"date" not in seen:
            arrival = passage.envelope.arrival or settings.seconds()
            added.append((prefix + b"Date", encode(f" {mail_date(time.localtime(arrival))}\r\n")))
        if mark + b"from" not in seen:
            text = sender_text(await passage.sender(), passage.envelope.fullname, settings.obsolete_from)
            added.append((prefix + b"From", encode(f" {text}\r\n")))
        if settings.undisclosed and _DISCLOSED.isdisjoint(seen):
            added += settings.undisclosed
        return added
