"""From content (CRLF lines) to what DATA carries (RFC 5321 4.5.2, 4.5.3.1.6): dots doubled, overlong lines broken.

Takes chunks with arbitrary boundaries and works in bulk: lines are looked at one by one only where one is overlong.
"""

from __future__ import annotations

__all__ = ["Stuffer"]


class Stuffer:
    """Prepares one message. ``broken`` says whether an overlong line has been broken so far.

    :param limit: the most octets in a line without its CRLF; a longer line is broken with CRLF SPACE. 0: no limit.
    """

    __slots__ = ("broken", "_limit", "_column", "_held")

    def __init__(self, limit: int = 0) -> None:
        self.broken = False
        self._limit = limit
        self._column = 0  # octets in the line under way, as it was put out
        self._held = b""  # a CR at the end of a chunk: its LF may follow

    def feed(self, chunk: bytes) -> bytes:
        """Some content in, what goes on the wire out."""
        if self._held:
            chunk, self._held = self._held + chunk, b""
        if chunk[-1:] == b"\r":
            chunk, self._held = chunk[:-1], b"\r"
        if not chunk:
            return chunk
        line_start = not self._column
        if self._limit and _overlong(chunk, self._limit, self._column):
            chunk = self._fold(chunk)
        end = chunk.rfind(b"\n")
        self._column = len(chunk) - end - 1 if end >= 0 else self._column + len(chunk)
        if b"." in chunk and b"\n." in chunk:  # one octet is found, or not, much faster than two
            chunk = chunk.replace(b"\n.", b"\n..")
        return b"." + chunk if line_start and chunk[:1] == b"." else chunk

    def finish(self) -> bytes:
        """The end of the content: completes a last line that has no line end."""
        held, self._held = self._held, b""
        return held + b"\r\n" if self._column or held else b""

    def _fold(self, chunk: bytes) -> bytes:
        self.broken = True
        folded, column = [], self._column
        for line in chunk.split(b"\n"):
            folded.append(_break(line, self._limit, column))
            column = 0
        return b"\n".join(folded)


def _overlong(chunk: bytes, limit: int, column: int) -> bool:
    """Whether a line exceeds ``limit``, the first being at ``column`` already. Leaps a whole limit at a time."""
    start, size, reach = 0, len(chunk), limit - column
    while size - start > reach:
        end = chunk.rfind(b"\n", start, start + max(reach, 0) + 2)  # a line of exactly the limit, and its CRLF
        if end < 0:
            return True
        start, reach = end + 1, limit
    return False


def _break(line: bytes, limit: int, column: int) -> bytes:
    """Break a line that may still have its CR; continuation lines begin with a space, which counts."""
    size = len(line) - (line[-1:] == b"\r")
    room = limit - column
    if size <= room:
        return line
    step = max(limit - 1, 1)
    cut = max(room, 0)
    pieces = [line[:cut]]
    while cut < size:
        pieces.append(line[cut : cut + step] if size - cut > step else line[cut:])
        cut += step
    return b"\r\n ".join(pieces)
