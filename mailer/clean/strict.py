"""strict_7bit_headers, strict_8bitmime, strict_8bitmime_body, strict_mime_encoding_domain: messages that break the rules
are refused (postconf(5))."""

from __future__ import annotations

import re
from typing import Any

from mailer.clean.passage import Passage
from mailer.message.header import Field, text_of
from mailer.message.mime import Text

__all__ = ["Strictness", "StrictRule"]

_HEADER = "improper use of 8-bit data in message header"
_BODY = "improper use of 8-bit data in message body"
_ENCODING = "invalid message/* or multipart/* encoding domain"
_EIGHT_BIT_LINE = re.compile(rb"[^\n]*[\x80-\xff][^\r\n]*")
_UNENCODED = frozenset(("7bit", "8bit", "binary"))


class Strictness:
    """What is asked for; false if nothing."""

    def __init__(self, settings: Any) -> None:
        walks = not settings.disable_mime_input_processing
        self.headers = walks and (settings.strict_7bit_headers or settings.strict_8bitmime)
        self.bodies = walks and (settings.strict_8bitmime_body or settings.strict_8bitmime)
        self.encodings = walks and settings.strict_mime_encoding_domain

    def __bool__(self) -> bool:
        return bool(self.headers or self.bodies or self.encodings)

    async def fields(self, passage: Passage, fields: list[Field]) -> None:
        """Refuse octets outside ASCII in fields."""
        if not self.headers or passage.refusal is not None:
            return
        for name, body in fields:
            if not body.isascii():
                await passage.malformed(_HEADER, text_of(name, body))
                return

    async def text(self, passage: Passage, text: Text, lines: bytes, encoding: str) -> None:
        """Refuse octets outside ASCII in a body that is not labelled so, and parts encoded as a whole.

        :param lines: what there is to see of the text's lines. :param encoding: of the body that they belong to."""
        if passage.refusal is not None:
            return
        if self.encodings and text.fresh and text.composite and text.encoding not in _UNENCODED:
            await passage.malformed(_ENCODING, text.encoding)
        elif self.bodies and encoding not in ("8bit", "binary") and not lines.isascii():
            line = _EIGHT_BIT_LINE.search(lines)
            assert line is not None
            await passage.malformed(_BODY, line[0].decode("utf-8", "surrogateescape"))


class StrictRule:
    """The rule for the primary header section of one message."""

    __slots__ = ("_passage", "_strictness")

    def __init__(self, strictness: Strictness, passage: Passage) -> None:
        self._strictness = strictness
        self._passage = passage

    async def fields(self, fields: list[Field]) -> list[Field]:
        await self._strictness.fields(self._passage, fields)
        return fields

    async def end(self) -> list[Field]:
        return []
