"""The structure of a MIME message, walked in one pass over content in pieces (RFC 2045, 2046).

`MimeWalker` takes the content behind the primary header section and tells, in order, what it consists of: text, and the
header sections of parts and of nested messages. It never looks for more than the next line that begins with two hyphens,
so the text between passes in bulk. It decodes nothing, and a message that breaks the rules is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from mailer.message.header import Field, HeaderScanner, one_line

__all__ = [
    "MIME_FIELDS",
    "ContentType",
    "Fields",
    "MimeWalker",
    "NestingExceeded",
    "SectionKind",
    "Text",
    "content_type",
]

#: Fields that describe a body wherever they stand.
MIME_FIELDS = frozenset(
    (
        b"content-description",
        b"content-disposition",
        b"content-id",
        b"content-transfer-encoding",
        b"content-type",
        b"mime-version",
    )
)

_MARK = re.compile(r'\\.|[()]|"(?:[^"\\]|\\.)*"', re.DOTALL)
_VALUE = r'(?:"((?:[^"\\]|\\.)*)"|([^\x00-\x20()<>@,;:\\"/\[\]?=]+))'
_TYPE = re.compile(r"\s*([^\x00-\x20()<>@,;:\\\"/\[\]?=]+)\s*/\s*([^\x00-\x20()<>@,;:\\\"/\[\]?=]+)")
# Quoted strings are passed over whole, so that nothing in them is taken for a parameter.
_BOUNDARY = re.compile(r";\s*boundary\s*=\s*" + _VALUE + r'|"(?:[^"\\]|\\.)*"|\\.', re.IGNORECASE | re.DOTALL)
_LONGEST_VALUE = 8192


@dataclass(frozen=True, slots=True)
class ContentType:
    """``type`` and ``subtype`` in lower case; ``boundary`` is b"" when there is none."""

    type: str
    subtype: str
    boundary: bytes = b""

    @property
    def nests(self) -> bool:
        """Whether a message follows."""
        return self.type == "message" and self.subtype in ("rfc822", "global")


def content_type(body: bytes) -> ContentType:
    """What a Content-Type field says; text/plain if it makes no sense."""
    text = body[:_LONGEST_VALUE].decode("latin-1")
    if "(" in text:
        text = _without_comments(text)
    match = _TYPE.match(text)
    if match is None:
        return ContentType("text", "plain")
    boundary = b""
    if match[1].lower() == "multipart":
        for quoted, token in _BOUNDARY.findall(text, match.end()):
            if quoted or token:
                boundary = (token or re.sub(r"\\(.)", r"\1", quoted)).encode("latin-1")
                break
    return ContentType(match[1].lower(), match[2].lower(), boundary)


def _without_comments(text: str) -> str:
    """Comments nest, and parentheses in quoted strings are none."""
    kept: list[str] = []
    depth = start = 0
    for match in _MARK.finditer(text):
        mark = match[0]
        if mark == "(":
            if depth == 0:
                kept.append(text[start : match.start()])
            depth += 1
        elif mark == ")" and depth:
            depth -= 1
            start = match.end()
    if depth == 0:
        kept.append(text[start:])
    return " ".join(kept)


class SectionKind(Enum):
    """Whose header section it is."""

    PART = "part"
    NESTED = "nested message"


class NestingExceeded(Exception):
    """The message is nested deeper than allowed; ``args[0]`` is the field that went too far, name and body."""


@dataclass(frozen=True, slots=True)
class Text:
    """Content that is no header: body lines, boundary lines, the empty line behind a header section.

    ``fresh`` tells that a body begins with it; ``encoding`` is its Content-Transfer-Encoding in lower case, ``composite``
    whether its type is multipart or message.
    """

    content: bytes
    fresh: bool = False
    encoding: str = "7bit"
    composite: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of a header section, in order; ``section`` is their octets as they came, None if they are not those."""

    kind: SectionKind
    fields: list[Field]
    section: bytes | None


Event = Text | Fields


@dataclass(slots=True)
class _Level:
    """An open multipart."""

    boundary: bytes
    digest: bool


class MimeWalker:
    """Content begins with the empty line behind the primary header section.

    :param primary: the fields of the primary header section, or those in `MIME_FIELDS`.
    :param field_limit: header_size_limit. :param nesting_limit: mime_nesting_limit.
    :param boundary_limit: how many octets of a boundary count (mime_boundary_length_limit).
    :raise NestingExceeded:
    """

    def __init__(self, primary: list[Field], field_limit: int, boundary_limit: int, nesting_limit: int) -> None:
        self._field_limit = field_limit
        self._boundary_limit = boundary_limit
        # Postfix counts from below: the limit is passed with the third level beyond it.
        self._deepest = nesting_limit + 2
        self._levels: list[_Level] = []
        self._held = b""
        self._line_start = True
        self._scanner: HeaderScanner | None = None
        self._at_line_end = ""  # what begins behind the current line: "", "part" or "epilogue"
        self._kind = SectionKind.PART
        self._begin_section(digest=False)
        self._note(primary)
        self._before_body = True

    def feed(self, chunk: bytes, last: bool = False) -> list[Event]:
        """Take content; ``last``: no more comes. :raise NestingExceeded:"""
        data = self._held + chunk if self._held else chunk
        self._held = b""
        events: list[Event] = []
        if last and self._scanner is not None and not data:
            data = self._header(b"", True, events)
        while data:
            if self._scanner is not None:
                data = self._header(data, last, events)
            elif self._before_body:
                data = self._body_begins(data, last, events)
            else:
                data = self._text(data, last, events)
        return events

    def _begin_section(self, digest: bool) -> None:
        self._digest_part = digest
        self._type: ContentType | None = None
        self._encoding = "7bit"

    def _note(self, fields: list[Field]) -> None:
        for name, body in fields:
            key = name.lower()
            if key == b"content-type":
                self._type = content_type(body)
                if self._type.boundary:
                    self._levels.append(
                        _Level(self._type.boundary[: self._boundary_limit], self._type.subtype == "digest")
                    )
                    if len(self._levels) > self._deepest:
                        raise NestingExceeded((name, body))
            elif key == b"content-transfer-encoding":
                self._encoding = one_line(body).lower()

    def _header(self, data: bytes, last: bool, events: list[Event]) -> bytes:
        scanner = self._scanner
        assert scanner is not None
        fields = scanner.feed(data, last)
        if fields:
            events.append(Fields(self._kind, fields, scanner.section))
            self._note(fields)
        if not scanner.ended:
            return b""
        self._scanner = None
        self._before_body = True
        if scanner.abrupt:  # no empty line, and no nested message behind it
            self._before_body = False
            self._line_start = True
        return scanner.rest

    def _body_begins(self, data: bytes, last: bool, events: list[Event]) -> bytes:
        """The empty line behind a header section."""
        if data == b"\r" and not last:
            self._held = data
            return b""
        self._before_body = False
        self._line_start = True
        kind = self._type
        composite = kind is not None and kind.type in ("multipart", "message")
        events.append(Text(data[:2], True, self._encoding, composite))
        if kind.nests if kind is not None else self._digest_part:
            self._open_section(SectionKind.NESTED, digest=False)
        return data[2:]

    def _open_section(self, kind: SectionKind, digest: bool) -> None:
        self._kind = kind
        self._scanner = HeaderScanner(self._field_limit, whole_lines=True)
        self._begin_section(digest)

    def _text(self, data: bytes, last: bool, events: list[Event]) -> bytes:
        """Text up to the end of a boundary line; whatever follows it is given back."""
        end = self._boundary_line(data, last)
        if end < 0:
            end = len(data) - len(self._held)
        if end:
            events.append(Text(data[:end], False, self._encoding))
            self._line_start = data[end - 1] == 0x0A
        if self._held:
            return b""
        if self._at_line_end and self._line_start:
            follows, self._at_line_end = self._at_line_end, ""
            if follows == "part":
                digest = bool(self._levels) and self._levels[-1].digest
                self._open_section(SectionKind.PART, digest)
        return data[end:]

    def _boundary_line(self, data: bytes, last: bool) -> int:
        """Where the first boundary line ends; -1 if there is none. What may yet become one is held."""
        if self._at_line_end:  # in the middle of one
            return data.find(b"\n") + 1 or -1
        if not self._levels:
            return -1
        start = 0 if self._line_start and data.startswith(b"--") else _next_candidate(data, 0)
        while start >= 0:
            complete = last or data.find(b"\n", start) >= 0
            if not complete and len(data) - start < self._boundary_limit + 4:
                self._held = data[start:]
                return -1
            if self._is_boundary(data, start):
                return data.find(b"\n", start) + 1 or len(data)
            start = _next_candidate(data, start + 1)
        if not last and (data.endswith(b"\n-") or (self._line_start and data == b"-")):
            self._held = b"-"
        return -1

    def _is_boundary(self, data: bytes, start: int) -> bool:
        """Whether the line at ``start`` is a boundary of an open multipart; those inside it are closed then."""
        for index in range(len(self._levels) - 1, -1, -1):
            boundary = self._levels[index].boundary
            if data.startswith(boundary, start + 2):
                closes = data.startswith(b"--", start + 2 + len(boundary))
                del self._levels[index if closes else index + 1 :]
                self._at_line_end = "epilogue" if closes else "part"
                return True
        return False


def _next_candidate(data: bytes, start: int) -> int:
    found = data.find(b"\n--", start)
    return found + 1 if found >= 0 else -1
