"""What is remembered of a client: until when it counts as having passed each test. Pure.

The text form, times joined by semicolons in the order of `Trial`, is that of Postfix's own caches.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum

__all__ = ["EARLY", "NEVER", "Stamps", "Trial"]

#: The test was wanted and has never been passed; it was not wanted then.
NEVER, UNWANTED = 0, 1


class Trial(IntEnum):
    """The tests, by their place in a record."""

    PREGREET = 0
    DNSBL = 1
    PIPELINING = 2
    NON_SMTP = 3
    BARE_NEWLINE = 4


#: The tests before the server's greeting.
EARLY = frozenset((Trial.PREGREET, Trial.DNSBL))


class Stamps:
    """One client's record. ``fresh``: it has never passed all that is wanted now."""

    __slots__ = ("_times", "fresh")

    def __init__(self, wanted: Collection[Trial], text: str | None = None) -> None:
        self._times = [NEVER if test in wanted else UNWANTED for test in Trial]
        parts = text.split(";") if text is not None else []
        if len(parts) == len(Trial) and all(part.isascii() and part.isdecimal() for part in parts):
            self._times = [int(part[:18]) for part in parts]
        for test in wanted:
            if self._times[test] == UNWANTED:
                self._times[test] = NEVER
        self.fresh = any(self._times[test] == NEVER for test in wanted) or not parts

    def due(self, wanted: Collection[Trial], now: float) -> set[Trial]:
        """The tests that the client has to pass (again)."""
        return {test for test in wanted if self._times[test] < now}

    def passed(self, test: Trial, until: float) -> None:
        self._times[test] = max(int(until), UNWANTED + 1)

    def __str__(self) -> str:
        return ";".join(map(str, self._times))

    @property
    def last(self) -> int:
        """When the last of the tests is forgotten."""
        return max(self._times)
