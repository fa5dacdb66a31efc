"""Body lines of an outgoing message, checked one by one (smtp_body_checks): the beginning of each body only
(body_checks_size_limit), long lines in pieces (line_length_limit)."""

from __future__ import annotations

from typing import Any

from mailer.deliver.smtp.outgoing.actions import Remarks, act
from mailer.message.address import decode, encode

__all__ = ["LineChecks"]


class LineChecks:
    """One message's. ``begin`` at each body; ``text`` with its pieces; ``end`` at its end."""

    def __init__(self, tables: Any, remarks: Remarks, most: int, piece: int) -> None:
        self._tables = tables
        self._remarks = remarks
        self._most = most
        self._piece = piece
        self._seen = 0
        self._held = b""

    def begin(self) -> None:
        self._seen = 0

    async def text(self, content: bytes) -> bytes:
        """:raise TemporaryError: a table cannot tell now."""
        content = self._held + content
        self._held = b""
        out: list[bytes] = []
        position = 0
        while self._seen < self._most:
            end = content.find(b"\n", position)
            if end < 0 and len(content) - position < self._piece:
                self._held = content[position:]
                return b"".join(out)
            if end < 0 or end - position > self._piece:
                end = position + self._piece - 1
            line = content[position : end + 1]
            out.append(await self._line(line))
            self._seen += len(line.rstrip(b"\r\n")) + 1
            position = end + 1
        out.append(content[position:])
        return b"".join(out)

    async def end(self) -> bytes:
        held, self._held = self._held, b""
        return await self._line(held) if held else b""

    async def _line(self, line: bytes) -> bytes:
        bare = line.rstrip(b"\r\n") if line.endswith(b"\n") else line
        text = decode(bare)
        value = await self._tables.lookup(text)
        edited = act(self._remarks, text, value) if value is not None else None
        if edited is None:
            return line
        if edited.content is None:
            return b""
        before = encode(edited.before) + b"\r\n" if edited.before is not None else b""
        return before + encode(edited.content) + line[len(bare) :]
