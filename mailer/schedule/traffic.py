"""How much mail a destination has had within about the last second, though none may wait for it at the moment.

Postfix keeps connections for a destination with a high volume of mail (postconf(5), smtp_connection_cache_on_demand), and
knows such a one by mail that still waits when a delivery ends. A transport that is quicker than the mail comes in never
lets any wait: its destination is forgotten between two messages, and so would be that hundreds of them came before.
"""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["Traffic"]

#: Deliveries a second that are a high volume, whether or not any wait.
_HIGH = 20
_MOST_DESTINATIONS = 10_000


class Traffic:
    """Counts deliveries by destination; what it counted fades within a second."""

    def __init__(self) -> None:
        self._levels: dict[Hashable, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._levels)

    def started(self, destination: Hashable, now: float) -> bool:
        """One more delivery. :return: whether the destination has a high volume of mail."""
        level, when = self._levels.get(destination, (0.0, now))
        level = level * _left(now - when) + 1.0
        if len(self._levels) >= _MOST_DESTINATIONS:
            self._forget(now)
        self._levels[destination] = (level, now)
        return level > _HIGH

    def _forget(self, now: float) -> None:
        levels = {key: entry for key, entry in self._levels.items() if _left(now - entry[1]) > 0}
        self._levels = levels if len(levels) < _MOST_DESTINATIONS else {}


def _left(seconds: float) -> float:
    return min(1.0, max(0.0, 1.0 - seconds))
