"""What is known of an address (ADDRESS_VERIFICATION_README)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Known", "Verification"]


class Known(IntEnum):
    """The result of a probe, with the numbers that Postfix's caches have for it."""

    DELIVERABLE = 0
    DEFERRED = 1
    UNDELIVERABLE = 2
    PENDING = 3


@dataclass(frozen=True, slots=True)
class Verification:
    """``text`` is what the probe's delivery had to say."""

    known: Known
    text: str
