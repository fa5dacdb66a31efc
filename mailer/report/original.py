"""What a notice takes from the message that it is about."""

from __future__ import annotations

import re
from typing import Any

from mailer.message.section import header_section

__all__ = ["message_id"]

_MESSAGE_ID = re.compile(rb"(?:\A|\n)message-id[ \t]*:[ \t]*(?:\r?\n[ \t]+)*(<[!-~]+>)", re.IGNORECASE).search
#: How much of a header section is looked through for a Message-Id.
_WINDOW = 1 << 16


async def message_id(content: Any) -> str:
    """The Message-Id, with its angle brackets, or "" when none is found early in the header section."""
    head = bytearray()
    async for piece in header_section(content):
        head += piece
        if len(head) >= _WINDOW:
            break
    found = _MESSAGE_ID(head)
    return found[1].decode("ascii") if found else ""
