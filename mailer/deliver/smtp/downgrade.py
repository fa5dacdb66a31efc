"""Eight-bit MIME content for a server that takes seven bits only (RFC 6152 3, RFC 2045 6).

Follows the structure as content passes: where a part says ``8bit`` or ``binary``, its header says ``quoted-printable``
instead and its body is encoded so; around other parts (multipart, message) it says ``7bit``. What claims to be seven-bit
is left alone. Depth and boundaries are bounded. Knows nothing of servers.
"""

from __future__ import annotations

import re

__all__ = ["Downgrade", "declares_eight_bits"]

_MOST_NESTED = 100
_LONGEST_BOUNDARY = 2048
_SOFT_BREAK = 72  # a line is broken when more than so many octets are in it
_HEADER = re.compile(rb"([!-9;-~]+)[ \t]*:").match
_COMMENT = re.compile(rb"\((?:[^()\\]|\\.)*\)", re.DOTALL).sub
_TYPE = re.compile(rb"\s*([^\s/;]+)\s*/\s*([^\s;]+)").match
_BOUNDARY = re.compile(rb";\s*boundary\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;\"]+))", re.IGNORECASE | re.DOTALL).search
_UNQUOTE = re.compile(rb"\\(.)", re.DOTALL).sub
_UNSAFE = re.compile(rb"[^\t -<>-~]").sub
_QUOTED = [b"=%02X" % octet for octet in range(256)]


def declares_eight_bits(content: bytes) -> bool:
    """Whether anything in a whole content may say ``8bit`` or ``binary``: if not, there is nothing to do."""
    folded = content.lower()
    return b"content-transfer-encoding" in folded and (b"8bit" in folded or b"binary" in folded)


class Downgrade:
    """A content filter: ``feed`` and ``finish``."""

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        self._out: list[bytes] = []
        self._header: list[bytes] = []  # the lines of a header field under way
        self._in_header = True
        self._boundaries: list[tuple[bytes, bool]] = []  # and whether its parts are messages unless they say otherwise
        self._begin_part()

    def feed(self, chunk: bytes) -> bytes:
        first, *more = chunk.split(b"\n")
        self._tail.append(first)
        for piece in more:
            self._line(b"".join(self._tail) + b"\n")
            self._tail = [piece]
        return self._take()

    def finish(self) -> bytes:
        rest = b"".join(self._tail)
        self._tail = []
        if rest:
            self._line(rest)
        if self._in_header:
            self._end_field()
            self._replace_encoding()
        return self._take()

    def _take(self) -> bytes:
        out, self._out = b"".join(self._out), []
        return out

    def _begin_part(self, message: bool = False) -> None:
        self._main, self._sub = (b"message", b"rfc822") if message else (b"text", b"plain")
        self._boundary = b""
        self._encoded = False  # 8bit or binary was declared

    def _line(self, line: bytes) -> None:
        if not self._in_header:
            self._body_line(line)
        elif line[:1] in (b" ", b"\t") and self._header:
            self._header.append(line)
        elif _HEADER(line):
            self._end_field()
            self._header.append(line)
        else:
            self._end_header(line)

    # Headers.

    def _end_field(self) -> None:
        field, self._header = b"".join(self._header), []
        found = _HEADER(field)
        if found is None:
            return
        name, value = found.group(1).lower(), field[found.end() :]
        if name == b"content-transfer-encoding":
            word = _COMMENT(b"", value).strip().lower()
            if word in (b"8bit", b"binary"):
                self._encoded = True
                return
        elif name == b"content-type":
            self._take_type(_COMMENT(b"", value))
        self._out.append(field)

    def _take_type(self, value: bytes) -> None:
        found = _TYPE(value)
        if found is None:
            return
        self._main, self._sub = found.group(1).lower(), found.group(2).lower()
        boundary = _BOUNDARY(value)
        if self._main == b"multipart" and boundary is not None:
            quoted, plain = boundary.groups()
            text = plain if quoted is None else _UNQUOTE(rb"\1", quoted)
            self._boundary = text[:_LONGEST_BOUNDARY]

    def _replace_encoding(self) -> None:
        if self._encoded:
            # What has parts is not encoded itself; they are.
            self._encoded = self._main not in (b"multipart", b"message")
            value = b"quoted-printable" if self._encoded else b"7bit"
            self._out.append(b"Content-Transfer-Encoding: " + value + b"\r\n")

    def _end_header(self, line: bytes) -> None:
        """The first line that is no header field: usually an empty one."""
        self._end_field()
        self._replace_encoding()
        self._in_header = False
        if self._main == b"multipart" and self._boundary and len(self._boundaries) < _MOST_NESTED:
            self._boundaries.append((self._boundary, self._sub == b"digest"))
        if line.strip(b"\r\n"):
            self._body_line(line)
            return
        self._out.append(line)
        if self._main == b"message" and self._sub == b"rfc822":
            self._in_header = True
            self._begin_part()

    # Bodies.

    def _body_line(self, line: bytes) -> None:
        if line[:2] == b"--" and self._boundaries and self._at_boundary(line):
            self._out.append(line)
        elif self._encoded:
            self._out.append(_encode(line))
        else:
            self._out.append(line)

    def _at_boundary(self, line: bytes) -> bool:
        for depth in range(len(self._boundaries) - 1, -1, -1):
            boundary, digest = self._boundaries[depth]
            if line.startswith(boundary, 2):
                closing = line.startswith(b"--", 2 + len(boundary))
                del self._boundaries[depth if closing else depth + 1 :]
                self._begin_part(digest and not closing)
                self._in_header = not closing
                return True
        return False


def _encode(line: bytes) -> bytes:
    """One line as quoted-printable, its line end kept."""
    text = line.rstrip(b"\n")
    text = text[:-1] if text[-1:] == b"\r" else text
    end = line[len(text) :]
    quoted = _UNSAFE(lambda match: _QUOTED[match.group()[0]], text)
    if len(quoted) > _SOFT_BREAK:
        quoted = _soften(quoted)
    if quoted[-1:] in (b" ", b"\t"):
        quoted = quoted[:-1] + _QUOTED[quoted[-1]]
    return quoted + end


def _soften(quoted: bytes) -> bytes:
    """Break a line where it has grown longer than it should, never within an encoded octet."""
    pieces, start, size = [], 0, len(quoted)
    while size - start > _SOFT_BREAK + 1:
        cut = start + _SOFT_BREAK + 1
        # An encoded octet that begins before the cut belongs to this line.
        sign = quoted.rfind(b"=", max(cut - 2, start), cut)
        if sign >= 0:
            cut = sign + 3
        if cut >= size:
            break
        pieces.append(quoted[start:cut] + b"=\r\n")
        start = cut
    pieces.append(quoted[start:])
    return b"".join(pieces)
