"""``flags=DORX`` of smtp(8): header lines put before the content, and whether a delivery is a final one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailer.deliver.smtp.content import header_of
from mailer.message.address import decode, encode, quote
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient

__all__ = ["Flags", "parse_flags"]


_DELIVERED_TO = re.compile(rb"^delivered-to[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE).findall


@dataclass(frozen=True, slots=True)
class Flags:
    """D: Delivered-To. O: X-Original-To. R: Return-Path. X: delivery is final."""

    delivered_to: bool = False
    original_to: bool = False
    return_path: bool = False
    final: bool = False

    def prefix(self, request: DeliveryRequest, recipients: Sequence[Recipient]) -> bytes:
        """The lines to put first. The addresses come from the only recipient (``_destination_recipient_limit = 1``)."""
        lines = []
        if self.return_path:
            lines.append(f"Return-Path: <{quote(request.envelope.sender)}>")
        if self.original_to and recipients:
            lines.append(f"X-Original-To: {quote(recipients[0].original or recipients[0].address)}")
        if self.delivered_to and recipients:
            lines.append(f"Delivered-To: {quote(recipients[0].address)}")
        # A line end in an address, however it got there, must not end the header line.
        return encode("".join(line.replace("\r", "?").replace("\n", "?") + "\r\n" for line in lines))

    async def loops(self, request: DeliveryRequest) -> bool:
        """Whether the message has been delivered to this recipient before, says its header. :raise TemporaryError:"""
        if not self.delivered_to:
            return False
        address = quote(request.recipients[0].address).lower()
        fields = _DELIVERED_TO(await header_of(request.content))
        return any(decode(field).strip().lower() == address for field in fields)


def parse_flags(words: Sequence[str]) -> Flags:
    """The words after the command name in master.cf. :raise ValueError: one that is not understood."""
    letters = ""
    for word in words:
        if not word.startswith("flags="):
            raise ValueError(f"unknown attribute name: {word.partition('=')[0]}")
        letters = word[6:]
        unknown = set(letters) - set("DORX")
        if unknown:
            raise ValueError(f"unknown flag: {sorted(unknown)[0]}")
    return Flags("D" in letters, "O" in letters, "R" in letters, "X" in letters)
