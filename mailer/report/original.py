"""The message that a notice is about: reading its header section or all of it, a piece at a time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

__all__ = ["header_section", "message_id"]

_MESSAGE_ID = re.compile(rb"(?:\A|\n)message-id[ \t]*:[ \t]*(?:\r?\n[ \t]+)*(<[!-~]+>)", re.IGNORECASE).search
#: How much of a header section is looked through for a Message-Id.
_WINDOW = 1 << 16


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


async def message_id(content: Any) -> str:
    """The Message-Id, with its angle brackets, or "" when none is found early in the header section."""
    head = bytearray()
    async for piece in header_section(content):
        head += piece
        if len(head) >= _WINDOW:
            break
    found = _MESSAGE_ID(head)
    return found[1].decode("ascii") if found else ""
