"""A message's header section as fields, found in bulk (RFC 5322 2.2, read as tolerantly as mail systems read it).

A field is ``(name, body)``, both bytes: the body is everything behind the colon including line ends and continuation
lines, so ``name + b":" + body`` is the field as it came. White space between name and colon is dropped. Knows no field's
meaning.
"""

from __future__ import annotations

import re

__all__ = ["Field", "HeaderScanner", "join", "one_line", "shorten", "text_of", "unfold"]

Field = tuple[bytes, bytes]

_NAME = rb"[!-9;-~]+"
_BODY = rb"[^\n]*\n(?:[ \t][^\n]*\n)*"
_PLAIN = re.compile(rb"(?:" + _NAME + rb":" + _BODY + rb")*").fullmatch
_FIELDS = re.compile(rb"(" + _NAME + rb"):(" + _BODY + rb")").findall
_FIELD = re.compile(rb"(" + _NAME + rb")([ \t]*):(" + _BODY + rb")").match
_BEGINS_FIELD = re.compile(_NAME + rb"[ \t]*:").match
_REST_OF_FIELD = re.compile(rb"[^\n]*\n(?:[ \t][^\n]*\n)*").match

#: How much is held before complete fields are given although the section's end is not in sight.
_WINDOW = 1 << 16
#: How far a line may reach beyond the limit that its beginning was within.
_OVERRUN = 2048


def join(fields: list[Field]) -> bytes:
    """Fields as content."""
    return b"".join([part for name, body in fields for part in (name, b":", body)])


def text_of(name: bytes, body: bytes) -> str:
    """A field as tables are asked for it: with bare newlines between its lines and none at the end."""
    return (name + b":" + body).replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape").rstrip("\n")


def unfold(body: bytes) -> str:
    """A body as text with bare newlines, without white space at both ends."""
    return body.replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape").strip(" \t\n")


def one_line(body: bytes) -> str:
    """A body as text without its line ends, without white space at both ends."""
    return body.replace(b"\r\n", b"").decode("utf-8", "surrogateescape").strip(" \t")


def shorten(name: bytes, body: bytes, limit: int) -> bytes:
    """The body, cut so that the field has at most ``limit`` octets (a line end counts one, the last none)."""
    if len(name) + len(body) <= limit:
        return body
    text = body.replace(b"\r\n", b"\n").rstrip(b"\n")
    room = max(limit - len(name) - 1, 0)
    if len(text) > room:
        text = text[:room].rstrip(b" \t\n")
    return text.replace(b"\n", b"\r\n") + b"\r\n"


def _beginning(name: bytes, body: bytes, limit: int) -> bytes:
    """The lines of a body until the field has ``limit`` octets: the last may go beyond, within reason."""
    if len(name) + len(body) <= limit:
        return body
    kept = len(name) + 1
    end = 0
    while end < len(body) and kept < limit:
        start, end = end, body.find(b"\n", end) + 1 or len(body)
        if end - start > limit - kept + _OVERRUN:
            return body[: start + limit - kept + _OVERRUN] + b"\r\n"
        kept += len(body[start:end].rstrip(b"\r\n")) + 1
    return body[:end]


class HeaderScanner:
    """Finds fields in content that arrives in pieces, and the place where the header section ends.

    ``feed`` gives the fields that are complete. When ``ended`` is True, ``rest`` holds all that was not header: it begins
    with the empty line, or, if ``abrupt``, with the line that is no field and ended the section; it is empty if the content
    ended with the header section. Memory is bounded: a field longer than ``limit`` is cut.

    :param limit: how long a field may be, as `shorten` counts (header_size_limit).
    :param whole_lines: keep the lines that begin within the limit, for checks, after which the caller calls `shorten`.
    """

    __slots__ = ("_buffer", "_cut", "_head", "_limit", "abrupt", "ended", "rest", "section")

    def __init__(self, limit: int, whole_lines: bool = False) -> None:
        self._limit = limit
        self._cut = _beginning if whole_lines else shorten
        self._buffer = bytearray()
        self._head = b""  # the beginning of a field whose end is still to come and will not be kept
        self.ended = self.abrupt = False
        self.rest = b""
        #: The fields of the last ``feed`` as the octets they came as; None if they are not those octets any more.
        self.section: bytes | None = b""

    def feed(self, chunk: bytes, last: bool = False) -> list[Field]:
        """Take content; ``last`` when no more will come."""
        buffer = self._buffer
        if buffer:
            start = max(0, len(buffer) - 3)
            buffer += chunk
            data: bytes | bytearray = buffer
        else:
            start, data = 0, chunk
        end = 0 if data.startswith(b"\r\n") and not self._head else data.find(b"\r\n\r\n", start) + 2
        if end == 1 and not last:
            return self._incomplete(data)
        if end == 1:
            end = len(data)
        block, self.rest, self.ended = bytes(data[:end]), bytes(data[end:]), True
        self._buffer = bytearray()
        return self._fields(block)

    def _incomplete(self, data: bytes | bytearray) -> list[Field]:
        if data is not self._buffer:
            self._buffer += data
        if len(data) < _WINDOW:
            self.section = b""
            return []
        return self._window(bytes(self._buffer))

    def _window(self, data: bytes) -> list[Field]:
        """Give the complete fields of a section that is longer than what may be held."""
        end = data.rfind(b"\n", 0, len(data) - 1)
        while end >= 0 and data[end + 1] in b" \t":
            end = data.rfind(b"\n", 0, end)
        if end >= 0:
            self._buffer = bytearray(data[end + 1 :])
            fields = self._fields(data[: end + 1])
            if self.ended:  # at a line that is no field
                self.rest += bytes(self._buffer)
                self._buffer = bytearray()
            return fields
        if not self._head and not _BEGINS_FIELD(data):
            self._buffer = bytearray()
            return self._stopped(data, [])
        self._head += data[: max(0, 2 * (self._limit + _OVERRUN) - len(self._head))]
        self._buffer = bytearray(data[-2:])  # for the line end that may be there
        self.section = b""
        return []

    def _fields(self, block: bytes) -> list[Field]:
        if not self._head and len(block) <= self._limit and _PLAIN(block):
            self.section = block
            return _FIELDS(block)
        return self._carefully(block)

    def _carefully(self, block: bytes) -> list[Field]:
        """Field by field: long ones, ones with white space before the colon, lines that are no field."""
        fields: list[Field] = []
        if self._head:
            match = _REST_OF_FIELD(block)
            block = self._head + b"\r\n" + block[match.end() if match else len(block) :]
            self._head = b""
        self.section = None
        position = 0
        while position < len(block):
            match = _FIELD(block, position)
            if match is None:
                return self._stopped(block[position:], fields)
            name, _, body = match.groups()
            fields.append((name, self._cut(name, body, self._limit)))
            position = match.end()
        return fields

    def _stopped(self, data: bytes, fields: list[Field]) -> list[Field]:
        """The section has ended at a line that is no field."""
        self.rest = data + self.rest
        self.ended = self.abrupt = True
        self.section = None
        return fields
