"""Enhanced status codes in access(5) results: found at the front of a text, and made to fit what is examined.

access(5) "ENHANCED STATUS CODES", RFC 3463 3.2: one table may serve senders, recipients, clients and HELO names, so a code
that speaks of a recipient becomes one that speaks of a sender and the other way round; for what is no address it becomes a
general one.
"""

from __future__ import annotations

import re

__all__ = ["fit", "split_status"]

_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|\Z)", re.ASCII).match
_OF_ADDRESS = re.compile(r"[245]\.1\.(\d+)", re.ASCII).fullmatch

#: Third number -> what it becomes for senders and for recipients; others become 0.
_DETAILS = {
    "1": ("7", "1"),
    "2": ("8", "2"),
    "3": ("7", "3"),
    "4": ("7", "4"),
    "5": ("0", "5"),
    "6": ("7", "6"),
    "7": ("7", "3"),
    "8": ("8", "2"),
}


def split_status(text: str, default: str) -> tuple[str, str]:
    """``status, rest``: the enhanced code that ``text`` begins with, or the default."""
    found = _STATUS(text)
    return (found[1], text[found.end() :]) if found else (default, text)


def fit(status: str, stage: str) -> str:
    """The code as it may be said of a ``Sender address``, a ``Recipient address``, or something else."""
    found = _OF_ADDRESS(status)
    if found is None:
        return status
    if stage not in ("Sender address", "Recipient address"):
        return f"{status[0]}.0.0"
    sender, recipient = _DETAILS.get(found[1], ("0", "0"))
    return f"{status[0]}.1.{sender if stage == 'Sender address' else recipient}"
