"""Has a message been here before? Delivered-To header lines tell (local(8), pipe(8))."""

from __future__ import annotations

import re
from typing import Any

from mailer.message.address import decode, fold, quote
from mailer.message.section import header_section

__all__ = ["DeliveredTo"]

_DELIVERED_TO = re.compile(
    rb"^delivered-to[ \t]*:[ \t]*(?:\r\n[ \t]+)*([^\r\n]+)", re.IGNORECASE | re.MULTILINE
).findall
#: How many lines are remembered; hopcount_limit ends longer travels.
_MOST = 1000
_WINDOW = 1 << 18


class DeliveredTo:
    """The addresses in a message's Delivered-To lines, read once when they are first asked for.

    :param content: IContent.
    """

    def __init__(self, content: Any) -> None:
        self._content = content
        self._known: frozenset[str] | None = None

    async def has(self, address: str) -> bool:
        """:param address: in internal form; case does not matter. :raise TemporaryError: the content cannot be read."""
        if self._known is None:
            header = bytearray()
            async for piece in header_section(self._content):
                header += piece
                if len(header) > _WINDOW:
                    break
            found = _DELIVERED_TO(bytes(header))[:_MOST]
            self._known = frozenset(fold(decode(text).strip(" \t")) for text in found)
        return fold(quote(address)) in self._known
