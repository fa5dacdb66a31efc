"""What is noted of each header field, and what is dropped: message_drop_headers, hopcount_limit, the log's message-id."""

from __future__ import annotations

import re
from typing import Any

from mailer.clean.passage import Passage
from mailer.message.header import Field, one_line
from mailer.message.status import PermanentError

__all__ = ["Hygiene"]

#: Content-Transfer-Encoding to the envelope's BODY (detect_8bit_encoding_header).
_ENCODINGS = {"7bit": "7BIT", "8bit": "8BITMIME", "binary": "8BITMIME"}
_NOTED = frozenset((b"received", b"message-id", b"resent-message-id", b"content-transfer-encoding", b"content-type"))
_COMPOSITE = re.compile(rb"\s*(?:multipart|message)\s*/", re.IGNORECASE).match


class Hygiene:
    """The rule's settings; calling it makes the rule for one message."""

    def __init__(self, settings: Any) -> None:
        self.dropped = frozenset(name.lower().encode() for name in settings.message_drop_headers)
        self.hop_limit = settings.hopcount_limit
        self.detects_8bit = settings.detect_8bit_encoding_header
        self.interesting = self.dropped | _NOTED

    def __call__(self, passage: Passage) -> _HygieneRule:
        return _HygieneRule(self, passage)


class _HygieneRule:
    __slots__ = ("_hops", "_passage", "_settings")

    def __init__(self, settings: Hygiene, passage: Passage) -> None:
        self._settings = settings
        self._passage = passage
        self._hops = 0

    async def fields(self, fields: list[Field]) -> list[Field]:
        interesting = self._settings.interesting
        dropping = False
        for name, body in fields:
            key = name.lower()
            if key in interesting:
                if key in self._settings.dropped:
                    dropping = True
                else:
                    self._note(key, body)
        if not dropping:
            return fields
        dropped = self._settings.dropped
        return [field for field in fields if field[0].lower() not in dropped]

    async def end(self) -> list[Field]:
        return []

    def _note(self, key: bytes, body: bytes) -> None:
        passage = self._passage
        if key == b"received":
            self._hops += 1
            if self._hops >= self._settings.hop_limit:
                passage.log.warning(f"{passage.queue_id}: message rejected: hopcount exceeded")
                raise PermanentError("Error: too many hops", "5.4.0", 554)
        elif key == b"content-transfer-encoding":
            body_type = _ENCODINGS.get(one_line(body).lower())
            if body_type and self._settings.detects_8bit:
                passage.envelope.body = body_type
        elif key == b"content-type":
            passage.composite = passage.composite or _COMPOSITE(body) is not None
        else:
            passage.note_message_id(key.decode(), one_line(body))
