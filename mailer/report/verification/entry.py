"""One entry of the verification cache, and how long it is worth something (postconf(5), address_verify_*_time).

Pure. The text form ``result:probed:updated:text`` is that of Postfix's own caches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mailer.message.verification import Known, Verification

__all__ = ["PROBE_SECONDS", "Entry", "Freshness", "parse", "unknown"]

#: How long a probe may take before another one is sent.
PROBE_SECONDS = 1000
_IN_PROGRESS = "Address verification in progress"


@dataclass(frozen=True, slots=True)
class Entry:
    """``probed`` is when the probe under way began (0: none is), ``updated`` when the result came (0: there is none)."""

    known: Known
    probed: int
    updated: int
    text: str

    def __str__(self) -> str:
        return f"{self.known.value}:{self.probed}:{self.updated}:{self.text}"

    @property
    def verification(self) -> Verification:
        return Verification(self.known, self.text)

    def probed_at(self, now: float) -> Entry:
        return replace(self, probed=int(now))


def unknown() -> Entry:
    return Entry(Known.PENDING, 0, 0, _IN_PROGRESS)


def parse(value: str) -> Entry | None:
    """None: this is no entry."""
    parts = value.split(":", 3)
    if len(parts) != 4 or not all(part.isascii() and part.isdecimal() for part in parts[:3]):
        return None
    known, probed, updated = map(int, parts[:3])
    if known > max(Known) or not parts[3]:
        return None
    return Entry(Known(known), probed, updated, parts[3])


class Freshness:
    """:param settings: the verify service's."""

    def __init__(self, settings: Any) -> None:
        self._good_expires: float = settings.address_verify_positive_expire_time
        self._good_refresh: float = settings.address_verify_positive_refresh_time
        self._bad_expires: float = settings.address_verify_negative_expire_time
        self._bad_refresh: float = settings.address_verify_negative_refresh_time

    def expired(self, entry: Entry, now: float) -> bool:
        """Whether the result says nothing any more."""
        lasts = self._good_expires if entry.known is Known.DELIVERABLE else self._bad_expires
        return entry.updated + lasts < now

    def stale(self, entry: Entry, now: float) -> bool:
        """Whether it should be found out again."""
        lasts = self._good_refresh if entry.known is Known.DELIVERABLE else self._bad_refresh
        return entry.updated + lasts < now

    def worth_keeping(self, entry: Entry, now: float) -> bool:
        """Whether anybody would use it."""
        return under_way(entry, now) or not self.expired(entry, now)


def under_way(entry: Entry, now: float) -> bool:
    """Whether there may still be an answer to the last probe."""
    return now - entry.probed <= PROBE_SECONDS
