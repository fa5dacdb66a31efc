"""The header section of content that is read a piece at a time (mailer.interfaces.queue.IContent)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

__all__ = ["header_section"]


async def header_section(content: Any) -> AsyncIterator[bytes]:
    """The header section of an IContent without the empty line that ends it. Holds one piece at a time."""
    tail = b"\r\n"  # an empty line at the very beginning ends the section, too
    async for chunk in content.chunks():
        seen = tail + chunk
        end = seen.find(b"\r\n\r\n")
        if end >= 0:
            piece = seen[len(tail) : end + 2]
            if piece:
                yield piece
            return
        yield bytes(chunk)
        tail = seen[-3:]
