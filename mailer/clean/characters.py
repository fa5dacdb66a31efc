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
#: Enough of a line for the log.
_SHOWN = 400
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
    """Passes content on until a line has an octet that gets the message refused; that line is held to its end, because
    the log shows it."""

    __slots__ = ("_before", "_line", "_step")

    def __init__(self, step: CharacterStep, passage: Passage, writer: Writer) -> None:
        super().__init__(passage, writer)
        self._step = step
        self._before = b""  # what has been passed on of the current line, or its beginning
        self._line = b""  # what is held of a line that is going to be refused

    async def process(self, chunk: bytes) -> None:
        step = self._step
        if step.reject is None:
            self.pass_on(chunk.translate(None, step.strip))
            return
        data = self._line + chunk
        found = step.reject.search(data)
        start = data.rfind(b"\n", 0, found.start() if found else len(data)) + 1
        if start:
            self._before = b""
        if found is None:
            self._before = (self._before + data[start:])[:_SHOWN]
            self._hand_on(data)
            return
        self._hand_on(data[:start])  # what comes before is looked at, and may be refused for its own reasons
        self._line = data[start:]
        if b"\n" in self._line or len(self._line) > _SHOWN:
            await self._refuse()

    async def finish(self) -> None:
        if self._line:
            await self._refuse()

    def _hand_on(self, content: bytes) -> None:
        if content:
            self.pass_on(content.translate(None, self._step.strip) if self._step.strip else content)

    async def _refuse(self) -> None:
        line = (self._before + self._line).partition(b"\n")[0].rstrip(b"\r").decode("utf-8", "surrogateescape")
        await self.passage.note("reject", "content", line, "5.7.1 disallowed character")
        raise PermanentError("disallowed character", "5.7.1")
