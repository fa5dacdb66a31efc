"""Message content as a client sends it: after DATA up to the lone dot, after BDAT by count (RFC 5321 4.5.2, RFC 3030).

Content is found and un-stuffed a chunk at a time, never by the line or the octet. Only ``<CR><LF>.<CR><LF>`` ends a
message; a dot alone between other line ends is dropped, so that no later hop can see an end where we saw none. A reader
that is not ``strict`` takes any lone dot for the end, as ``smtpd_forbid_bare_newline = no`` asks for. What comes out has
CRLF line ends; carriage returns elsewhere are kept. Readers know nothing of sizes: they never hold more than a few octets.
"""

from __future__ import annotations

import re

__all__ = ["ChunkReader", "DataReader"]

_BARE_LF = re.compile(rb"(?<!\r)\n")
_LONE_DOT = re.compile(rb"(?<=\r\n)\.\r\n")
_LONE_DOTS_AT_END = re.compile(rb"(?:\r?\n\.)+\Z")
_ANY_LONE_DOT = re.compile(rb"\n\.\r*\n")
_MANY_CR = re.compile(rb"\r\r+\n")
#: What may still become a line end and a lone dot when more octets arrive: as the standard has it, and in any form.
_UNDECIDED = re.compile(rb"(?:\r?\n(?:\.\r?)?|\r)\Z")
_UNDECIDED_ANY = re.compile(rb"(?:\r*\n(?:\.\r*)?|\r+)\Z")
_MOST_CR = 1000


def _undecided(octets: bytes, strict: bool) -> int:
    """How many octets at the end have to wait for what follows."""
    if octets[-1:] not in (b"\r", b"\n", b"."):
        return 0
    found = _UNDECIDED.search(octets[-4:]) if strict else _UNDECIDED_ANY.search(octets[-_MOST_CR:])
    return len(found.group()) if found else 0


def _first_standard_end(octets: bytes) -> int:
    """Where the LF before the lone dot stands that ends a message; -1: nowhere."""
    return octets.find(b"\r\n.\r\n") + 1 or -1


def _first_lone_dot(octets: bytes) -> int:
    """Where the LF before the first line stands that holds nothing but a dot, however lines end; -1: nowhere."""
    # One fast pass for content with few lines that begin with a dot; a slower one for the rest of any other.
    at = octets.find(b"\n.")
    for _ in range(4):
        if at < 0 or octets[at + 2 : at + 4] == b"\r\n" or octets[at + 2 : at + 3] == b"\n":
            return at
        if octets[at + 2 : at + 4] == b"\r\r":
            break
        at = octets.find(b"\n.", at + 2)
    found = _ANY_LONE_DOT.search(octets, at) if at >= 0 else None
    return found.start() if found else -1


class DataReader:
    """Content between ``354`` and the end of data.

    ``ended`` turns True with the piece that completes the message; ``rest`` then holds what the client sent behind it.
    ``bare`` tells whether a line ended in a bare LF.
    """

    __slots__ = ("_begun", "_held", "_strict", "bare", "ended", "rest")

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._held = b"\r\n"  # the line end of the DATA command: a dot right behind it is alone
        self._begun = False
        self.bare = False
        self.ended = False
        self.rest = b""

    @property
    def waiting(self) -> bytes:
        """What the client has sent of the content and ``feed`` has not given yet."""
        return self._held if self._begun else self._held[2:]

    def feed(self, octets: bytes) -> bytes:
        """Take octets, give content."""
        octets = self._held + octets
        body = self._up_to_end(octets)
        if not self.ended:
            split = len(octets) - _undecided(octets, self._strict)
            self._held, body = octets[split:], octets[:split]
            if not body:
                return b""
            if body.endswith(b"\n."):  # a lone dot that ends nothing; the line end before it is the one held now
                body = _LONE_DOTS_AT_END.sub(b"", body)
        lines = body.count(b"\n")
        if lines != body.count(b"\r\n"):
            self.bare = True
            body = _LONE_DOT.sub(b"", _BARE_LF.sub(b"\r\n", body))
            lines = body.count(b"\n")
        if not self._strict and body.count(b"\r") != lines:
            body = _MANY_CR.sub(b"\r\n", body)
        if b"." in body:
            body = body.replace(b"\r\n.", b"\r\n")
        if self._begun or not body:
            return body
        self._begun = True
        return body[2:]

    def _up_to_end(self, octets: bytes) -> bytes:
        if b"." not in octets:  # an encoded attachment has none, and looking for one octet is nearly free
            return b""
        end = _first_standard_end(octets) if self._strict else _first_lone_dot(octets)
        if end < 0:
            return b""
        self.ended = True
        self.rest = octets[octets.index(b"\n", end + 1) + 1 :]
        return octets[: end + 1]


class ChunkReader:
    """Content of one BDAT chunk: ``count`` octets, whatever they look like.

    Attributes as in DataReader. ``after_cr`` says how the chunk before this one ended and how this one does, so that a
    line end cut in two is recognised.
    """

    __slots__ = ("_left", "after_cr", "bare", "ended", "rest")

    def __init__(self, count: int, after_cr: bool = False) -> None:
        self._left = count
        self.after_cr = after_cr
        self.bare = False
        self.ended = count == 0
        self.rest = b""

    def feed(self, octets: bytes) -> bytes:
        """Take octets, give content."""
        body = octets[: self._left]
        self._left -= len(body)
        if not self._left:
            self.ended = True
            self.rest = octets[len(body) :]
        if not body:
            return b""
        if body.count(b"\n") != body.count(b"\r\n"):
            body = self._normalized(body)
        self.after_cr = body.endswith(b"\r")
        return body

    def _normalized(self, body: bytes) -> bytes:
        cut = self.after_cr and body.startswith(b"\n")  # the second half of a line end
        normal = _BARE_LF.sub(b"\r\n", body[1:] if cut else body)
        if len(normal) + cut != len(body):
            self.bare = True
        return b"\n" + normal if cut else normal
