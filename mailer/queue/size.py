"""A message's size as Postfix counts it: the ``size=`` of log lines and the size in mailq.

Postfix stores a line as one type octet, its length in as many octets as that takes (seven bits each), and the text without
the line end; lines over line_length_limit go in pieces. For lines shorter than 128 octets the sum equals the count with CRLF,
so only longer ones need a look.
"""

from __future__ import annotations

__all__ = ["SizeCounter", "message_size"]

_SHORT = 128
_PIECE = 2048  # line_length_limit's default


def _surplus(length: int) -> int:
    """What a line of ``length`` octets (without CRLF) costs beyond ``length + 2``."""
    if length < _SHORT:
        return 0
    pieces, rest = divmod(length, _PIECE)  # full pieces, then one more, which may be empty
    return 3 * pieces + (3 if rest >= _SHORT else 2) - 2


def _long_lines(lines: list[bytes]) -> int:
    if max(map(len, lines), default=0) <= _SHORT:
        return 0
    return sum(_surplus(len(line) - 1) for line in lines if len(line) > _SHORT)


def message_size(content: bytes) -> int:
    """The size of a whole content of CRLF lines."""
    return len(content) + _long_lines(content.split(b"\n"))


class SizeCounter:
    """The same for content that comes in pieces: ``feed`` them all, then read ``size``."""

    def __init__(self) -> None:
        self._total = 0
        self._open = 0  # octets of the line not yet ended

    def feed(self, chunk: bytes) -> None:
        self._total += len(chunk)
        lines = chunk.split(b"\n")
        if len(lines) == 1:
            self._open += len(chunk)
            return
        first = self._open + len(lines[0])
        self._open = len(lines.pop())
        self._total += _surplus(first - 1) + _long_lines(lines[1:])

    @property
    def size(self) -> int:
        return self._total + _surplus(self._open)
