"""Rules for what comes behind the primary header section: checks of parts, nested messages and body lines, strictness, and
whether a part says that it holds 8-bit text."""

from __future__ import annotations

import re
from typing import Any

from mailer.clean.checks import Checks
from mailer.clean.headers import BodyRule
from mailer.clean.passage import Passage
from mailer.clean.strict import Strictness
from mailer.message.header import Field, join, shorten
from mailer.message.mime import Fields, MimeWalker, NestingExceeded, Text

__all__ = ["BodyRules"]

_EIGHT_BIT_LABEL = re.compile(rb"(?im)^content-transfer-encoding[ \t]*:[ \t]*(?:8bit|binary)\b").search
_LABEL_WORDS = (b"8bit", b"8BIT", b"8Bit", b"inary", b"INARY")
#: Enough of a chunk's end to find a label that the next chunk completes.
_LABEL_LENGTH = 64


class BodyRules:
    """Makes the body rule of each message."""

    def __init__(self, settings: Any, checks: Checks, strictness: Strictness) -> None:
        self.checks = checks
        self.strictness = strictness
        self.piece = settings.line_length_limit
        self.field_limit = settings.header_size_limit
        self._walker_limits = (
            settings.header_size_limit,
            settings.mime_boundary_length_limit,
            settings.mime_nesting_limit,
        )
        self._mime = not settings.disable_mime_input_processing
        self._detects_8bit = settings.detect_8bit_encoding_header

    def __call__(self, passage: Passage, described: list[Field]) -> BodyRule | None:
        checked = passage.checked and not passage.checks_ended
        checks = self.checks
        if (checked and (checks.walks_mime or checks.body)) or self.strictness:
            return _WalkingRule(self, passage, described, checked)
        # Nobody wants to know more than what a plain search tells.
        if passage.composite and self._detects_8bit and not passage.envelope.body:
            return _LabelRule(passage)
        return None

    def walker(self, described: list[Field]) -> MimeWalker:
        return MimeWalker(described if self._mime else [], *self._walker_limits)


class _LabelRule:
    """Notes that a part is labelled 8bit. A plain search for the label's word comes first: it costs next to nothing."""

    __slots__ = ("_passage", "_tail")

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._tail = b""

    async def text(self, chunk: bytes, last: bool = False) -> bytes:
        envelope = self._passage.envelope
        if not envelope.body:
            content = self._tail + chunk
            if any(word in content for word in _LABEL_WORDS) and _EIGHT_BIT_LABEL(content):
                envelope.body = "8BITMIME"
            self._tail = content[-_LABEL_LENGTH:]
        return chunk


class _WalkingRule:
    """Walks the MIME structure and checks what it finds."""

    def __init__(self, rules: BodyRules, passage: Passage, described: list[Field], checked: bool) -> None:
        self._rules = rules
        self._passage = passage
        self._described = described
        self._walker: MimeWalker | None = None
        self._checked = checked
        self._lines = bool(checked and rules.checks.body)
        self._offset = 0  # within the current body, as body_checks_size_limit counts
        self._partial = b""
        self._encoding = "7bit"
        self._unjudged = b""  # of a line whose end is still to come, for strictness

    async def text(self, chunk: bytes, last: bool = False) -> bytes:
        passage, rules = self._passage, self._rules
        try:
            if self._walker is None:
                self._walker = rules.walker(self._described)
            events = self._walker.feed(chunk, last)
        except NestingExceeded as error:
            name, body = error.args[0]
            await passage.malformed(
                "MIME nesting exceeds safety limit", join([(name, body)]).decode("latin-1").rstrip()
            )
            return b""
        out: list[bytes] = []
        for event in events:
            if isinstance(event, Fields):
                out.append(await self._fields(event))
            else:
                out.append(await self._text(event))
            if passage.refusal is not None:
                return b""
        if last:
            if self._unjudged:
                await rules.strictness.text(passage, Text(b""), self._unjudged, self._encoding)
            if self._partial:
                out.append(await self._line(self._partial, b""))
        return b"".join(out)

    async def _fields(self, section: Fields) -> bytes:
        passage, rules = self._passage, self._rules
        for name, body in section.fields:
            if name.lower() == b"content-transfer-encoding":
                self._note_label(body)
        await rules.strictness.fields(passage, section.fields)
        fields = section.fields
        if self._checked and not passage.checks_ended:
            fields = await rules.checks.fields(passage, fields, section.kind)
        if fields is section.fields and section.section is not None:
            return section.section
        return join([(name, shorten(name, body, rules.field_limit)) for name, body in fields])

    def _note_label(self, body: bytes) -> None:
        if body.strip().lower() in (b"8bit", b"binary"):
            self._passage.envelope.body = "8BITMIME"

    async def _text(self, text: Text) -> bytes:
        if text.fresh:
            self._offset = 0
            self._encoding = text.encoding
        if self._rules.strictness:
            await self._judge(text)
        if not self._lines or self._passage.checks_ended:
            held, self._partial = self._partial, b""
            return held + text.content
        return await self._check_lines(self._partial + text.content)

    async def _judge(self, text: Text) -> None:
        """Let strictness see whole lines, for the log's sake; very long ones in pieces."""
        content = self._unjudged + text.content
        end = content.rfind(b"\n") + 1
        if len(content) - end > self._rules.piece:
            end = len(content)
        self._unjudged = content[end:]
        await self._rules.strictness.text(self._passage, text, content[:end], self._encoding)

    async def _check_lines(self, content: bytes) -> bytes:
        """Lines up to body_checks_size_limit; what comes behind passes."""
        out: list[bytes] = []
        self._partial = b""
        position = 0
        limit = self._rules.checks.body_limit
        while self._offset < limit and not self._passage.checks_ended:
            end = content.find(b"\n", position)
            if end < 0:
                if len(content) - position < self._rules.piece:
                    self._partial = content[position:]
                    return b"".join(out)
                end = position + self._rules.piece - 1
            line = content[position : end + 1]
            position = end + 1
            bare = line.rstrip(b"\r\n") if line.endswith(b"\n") else line
            out.append(await self._line(bare, line[len(bare) :]))
        out.append(content[position:])
        return b"".join(out)

    async def _line(self, line: bytes, line_end: bytes) -> bytes:
        """One line in pieces of line_length_limit."""
        size, checks = self._rules.piece, self._rules.checks
        out = b""
        for start in range(0, len(line), size):
            piece = line[start : start + size]
            edited = await checks.line(self._passage, piece)
            if not edited.changed:
                out += piece
                continue
            if edited.before is not None:
                out += edited.before.encode("utf-8", "surrogateescape") + b"\r\n"
            if edited.content is None:
                line_end = b"" if start + size >= len(line) and not out else line_end
            else:
                out += edited.content.encode("utf-8", "surrogateescape")
        self._offset += len(line) + 1
        self._partial = b""
        return out + line_end
