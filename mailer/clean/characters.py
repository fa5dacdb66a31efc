"""message_strip_characters and message_reject_characters: octets that no message may have (postconf(5)).

Both are written with C escapes: ``\\0``, ``\\r``, ``\\177``. The step stands in front of all others, so that what it takes
out is not there for them.
"""

from __future__ import annotations

import re

from mailer.clean.passage import Passage, Writer
from mailer.clean.pump import PumpingWriter
from mailer.message.status import PermanentError

__all__ = ["CharacterStep", "unescape"]

_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)", re.DOTALL)
_NAMED = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


def unescape(text: str) -> bytes:
    """The octets that a setting with C escapes names."""

    def octet(match: re.Match[str]) -> str:
        word = match[1]
        if word[0] in "01234567":
            return chr(int(word, 8) & 0xFF)
        return chr(_NAMED[word]) if word in _NAMED else word

    octets = text.encode("utf-8", "surrogateescape").decode("latin-1")
    return _ESCAPE.sub(octet, octets).encode("latin-1")


class CharacterStep:
    """:param strip: octets to take out. :param reject: octets that get a message refused."""

    def __init__(self, strip: bytes, reject: bytes) -> None:
        # Line ends are not content.
        self.strip = strip.translate(None, b"\n")
        self.reject = re.compile(b"[" + re.escape(reject) + b"]") if reject else None

    def __bool__(self) -> bool:
        return bool(self.strip or self.reject)

    def open(self, passage: Passage, writer: Writer) -> Writer:
        return _CharacterWriter(self, passage, writer)


class _CharacterWriter(PumpingWriter):
    __slots__ = ("_step",)

    def __init__(self, step: CharacterStep, passage: Passage, writer: Writer) -> None:
        super().__init__(passage, writer)
        self._step = step

    async def process(self, chunk: bytes) -> None:
        if self._step.reject is not None and (found := self._step.reject.search(chunk)):
            start = chunk.rfind(b"\n", 0, found.start()) + 1
            self.pass_on(chunk[:start])  # what comes before is still looked at, and may be refused for its own reasons
            line = chunk[start:].partition(b"\r\n")[0].decode("utf-8", "surrogateescape")
            await self.passage.note("reject", "content", line, "5.7.1 disallowed character")
            raise PermanentError("disallowed character", "5.7.1")
        self.pass_on(chunk.translate(None, self._step.strip) if self._step.strip else chunk)

    async def finish(self) -> None:
        """Nothing is held back."""
