"""Answers of a table that lives on another machine, for a while: fresh for a time to live, then stale for a bound.

Values and absences have times of their own. The number is bounded: what was fetched longest ago goes first, which with one
time to live is what would expire first. Knows no clock and asks nobody.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

__all__ = ["AnswerCache", "Lifetimes"]


@dataclass(frozen=True)
class Lifetimes:
    """Seconds. ``value`` and ``absence``: how long an answer counts as fresh (0: it is not kept); ``stale_value`` and
    ``stale_absence``: for how long after that it may still be used when nobody can be asked (0: not at all)."""

    value: float = 30.0
    absence: float = 5.0
    stale_value: float = 3600.0
    stale_absence: float = 0.0


class AnswerCache:
    """:param most: how many answers are kept."""

    def __init__(self, lifetimes: Lifetimes, most: int) -> None:
        self._lifetimes = lifetimes
        self._most = most
        self._kept: dict[Hashable, tuple[float, str | None]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def fresh(self, key: Hashable, now: float) -> tuple[str | None] | None:
        """The answer in a tuple of one, or None: ask."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        fetched, answer = kept
        lifetime = self._lifetimes.absence if answer is None else self._lifetimes.value
        return (answer,) if now < fetched + lifetime else None

    def stale(self, key: Hashable, now: float) -> tuple[str | None] | None:
        """The answer in a tuple of one if it may be used while nobody can be asked."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        fetched, answer = kept
        times = self._lifetimes
        lifetime, more = (times.absence, times.stale_absence) if answer is None else (times.value, times.stale_value)
        return (answer,) if more and now < fetched + lifetime + more else None

    def keep(self, key: Hashable, answer: str | None, now: float) -> None:
        """Remember an answer that was fetched now."""
        times = self._lifetimes
        useful = times.absence + times.stale_absence if answer is None else times.value + times.stale_value
        self._kept.pop(key, None)  # so that it goes to the end of the order
        if not useful or not self._most:
            return
        if len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (now, answer)

    def forget(self) -> None:
        self._kept.clear()
