"""Replies of an SMTP or LMTP server, taken from the octets that arrive (RFC 5321 4.2, RFC 2034).

Lines end in LF, with or without CR. A line's excess over the limit is dropped as it arrives, and so are the lines by which
one reply exceeds it: memory stays bounded whatever a server sends. Decoding waits until somebody asks for the text: most
replies are only looked at for their code. What a reply means is nobody's business here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["GARBAGE", "PeerReply", "ReplyParser"]

GARBAGE = 0
"""The code of a "reply" that is a line without a three-digit code."""

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)").match
_MOST_LINES = 10_000


class PeerReply:
    """One reply. ``code`` is its number, GARBAGE for a line that is no reply; ``excess`` says that lines were cut."""

    __slots__ = ("code", "excess", "_raw", "_text")

    def __init__(self, code: int, raw: bytes, excess: bool = False) -> None:
        self.code = code
        self.excess = excess
        self._raw = raw
        self._text: str | None = None

    @property
    def text(self) -> str:
        """All lines as they came, codes included, joined by ``\\n``; what is not printable is shown as ``?``."""
        if self._text is None:
            self._text = "\n".join([printable(line) for line in self._raw.split(b"\n")])
        return self._text

    @property
    def line(self) -> str:
        """The text in one line, as logs show it."""
        return self.text.replace("\n", " ")

    @property
    def last(self) -> str:
        """The last line."""
        return self.text.rpartition("\n")[2]

    @property
    def enhanced(self) -> str:
        """The RFC 3463 code of the last line; without one that agrees with the reply's class, ``4.0.0`` and the like.

        A reply that is neither success nor failure (3xx, 1xx), where one of them is due, is a protocol error: ``5.5.0``.
        """
        kind = self.code // 100
        if kind not in (2, 4, 5):
            return "5.5.0"
        found = _ENHANCED(self.last[4:].lstrip(" "))
        if found is None or found.group()[0] != str(kind):
            return f"{kind}.0.0"
        return found.group()

    def __repr__(self) -> str:
        return f"PeerReply({self.text!r})"


def printable(line: bytes) -> str:
    """A line for people's eyes: UTF-8 stays, control characters and broken octets become ``?``."""
    text = line.decode("utf-8", "surrogateescape")
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else "?" for char in text])


class ReplyParser:
    """Turns chunks into replies; a line that is none is reported as GARBAGE.

    :param limit: the longest line, and the longest reply, that is kept; in octets.
    :param rewrite: gives the line to be read in place of one that came; what it raises leaves ``feed``.
    """

    __slots__ = ("limit", "rewrite", "_tail", "_cutting", "_lines", "_length", "_count", "_excess")

    def __init__(self, limit: int = 2048, rewrite: Callable[[bytes], bytes] | None = None) -> None:
        self.limit = limit
        self.rewrite = rewrite
        self._tail = b""
        self._cutting = False  # the line under way is already over the limit
        self._lines: list[bytes] = []  # the lines of a reply under way
        self._length = 0
        self._count = 0
        self._excess = False

    @property
    def idle(self) -> bool:
        """Whether nothing has arrived beyond the last complete reply."""
        return not (self._tail or self._lines)

    def discard(self) -> None:
        """Forget what has arrived beyond the last complete reply."""
        self._tail = b""
        self._cutting = False
        self._lines = []
        self._length = self._count = 0
        self._excess = False

    def feed(self, data: bytes) -> list[PeerReply]:
        """Take what arrived; give the replies that are complete now."""
        if self._cutting:
            end = data.find(b"\n")
            if end < 0:
                return []
            data = self._tail + data[end:]
            self._cutting = False
        elif self._tail:
            data = self._tail + data
        lines = data.split(b"\n")
        tail = lines.pop()
        replies: list[PeerReply] = []
        for line in lines:
            if line[-1:] == b"\r":
                line = line[:-1]
            if len(line) > self.limit:
                line = line[: self.limit]
                self._excess = True
            if self.rewrite is not None:
                line = self.rewrite(line)
            self._line(line, replies)
        if len(tail) > self.limit:
            tail = tail[: self.limit]
            self._cutting = self._excess = True
        self._tail = tail
        return replies

    def _line(self, line: bytes, replies: list[PeerReply]) -> None:
        code, mark = line[:3], line[3:4]
        if not (code.isdigit() and len(code) == 3 and mark in (b" ", b"-", b"")):
            # It may be part of something meant as text, so it stays with the reply that follows.
            replies.append(PeerReply(GARBAGE, line))
            self._keep(line)
            return
        if not self._lines and mark != b"-":
            self._finish(int(code), line, replies)
            return
        self._keep(line)
        if self._count > _MOST_LINES:
            self._finish(GARBAGE, line, replies)
        elif mark != b"-":
            if self._excess and self._lines[-1] is not line:
                self._lines.append(line)  # the last line carries the enhanced code
            self._finish(int(code), b"\n".join(self._lines), replies)

    def _keep(self, line: bytes) -> None:
        self._count += 1
        if self._length + len(line) <= self.limit or not self._lines:
            self._lines.append(line)
            self._length += len(line) + 1
        else:
            self._excess = True

    def _finish(self, code: int, raw: bytes, replies: list[PeerReply]) -> None:
        replies.append(PeerReply(code, raw, self._excess))
        self._lines = []
        self._length = self._count = 0
        self._excess = False
