"""The queue as mailq(1) and ``postqueue -j`` print it: Postfix's columns, marks and keys, line for line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator

from mailer.message.address import quote
from mailer.message.listing import QueueListing

__all__ = ["json_lines", "table_lines"]

_MARKS = {"active": "*", "hold": "!"}
_EMPTY = "Mail queue is empty"
_NO_SENDER = "MAILER-DAEMON"
#: Header, row, recipient line; for short queue ids, then for long ones.
_FORMATS = {
    False: (
        "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------",
        "{:<11s} {:7d} {:20.20s} {}",
        " " * 41,
    ),
    True: (
        "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------",
        "{:<17s} {:8d} {:19.19s} {}",
        " " * 47,
    ),
}
_REASON_WIDTH = 76


def printable(text: str) -> str:
    """What a terminal must not get becomes ``?``."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _ordered(listing: QueueListing) -> list[tuple[str, str]]:
    """Recipients with a reason come first, as they do where reasons are kept in a log of their own."""
    return sorted(listing.recipients, key=lambda recipient: not recipient[1])


def table_lines(listings: Iterable[QueueListing], long_ids: bool) -> Iterator[str]:
    """The traditional listing.

    :param long_ids: enable_long_queue_ids, which widens the first column.
    """
    header, row, margin = _FORMATS[long_ids]
    octets = requests = 0
    for listing in listings:
        if not requests:
            yield header
        requests += 1
        octets += listing.size
        marks = _MARKS.get(listing.state, "") + ("#" if listing.forced_expire else "")
        sender = printable(quote(listing.sender)) or _NO_SENDER
        # ctime(3) without its year: the format cuts it.
        yield row.format(listing.queue_id + marks, listing.size, time.ctime(listing.arrival), sender)
        yield from _recipient_lines(listing, margin)
        yield ""
    if not requests:
        yield _EMPTY
        return
    yield f"-- {octets // 1024} Kbytes in {requests} Request{'s' if requests != 1 else ''}."


def _recipient_lines(listing: QueueListing, margin: str) -> Iterator[str]:
    shown = ""
    for address, reason in _ordered(listing):
        if reason != shown:
            text = printable(reason) or "reason unavailable"
            yield f"{'':{max(_REASON_WIDTH - len(text), 0)}}({text})"
            shown = reason
        yield margin + printable(quote(address))


def json_lines(listings: Iterable[QueueListing]) -> Iterator[str]:
    """One object for each message; octets that are no UTF-8 are replaced."""
    for listing in listings:
        recipients = [
            {"address": _utf8(quote(address)), **({"delay_reason": _utf8(reason)} if reason else {})}
            for address, reason in _ordered(listing)
        ]
        yield json.dumps(
            {
                "queue_name": listing.state,
                "queue_id": listing.queue_id,
                "arrival_time": int(listing.arrival),
                "message_size": listing.size,
                "forced_expire": listing.forced_expire,
                "sender": _utf8(quote(listing.sender)) or _NO_SENDER,
                "recipients": recipients,
            },
            ensure_ascii=False,
        )


def _utf8(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
