"""Time limits for many connections with one timer: a look at all of them once a second.

A callLater for each session costs more than the rest of its bookkeeping; a limit of minutes does not mind a second.
"""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Limited", "NEVER", "Sweep"]

NEVER = float("inf")


class Limited(Protocol):
    """Something with a time limit. ``deadline`` is in the reactor's seconds, NEVER for none; it may change at will."""

    deadline: float

    def expired(self, now: float) -> None:
        """The deadline has passed. Called again at the next look unless the deadline was moved."""


class Sweep:
    """Watches the deadlines of those added to it; runs only while there are any.

    :param clock: IReactorTime.
    :param interval: seconds between two looks; a limit is kept to within as much.
    """

    def __init__(self, clock: Any, interval: float = 1.0) -> None:
        self.seconds = clock.seconds
        self.clock = clock
        self._interval = interval
        self._watched: set[Limited] = set()
        self._call: Any = None

    def add(self, limited: Limited) -> None:
        self._watched.add(limited)
        if self._call is None:
            self._call = self.clock.callLater(self._interval, self._look)

    def discard(self, limited: Limited) -> None:
        self._watched.discard(limited)
        if not self._watched and self._call is not None:
            self._call.cancel()
            self._call = None

    def _look(self) -> None:
        self._call = None
        now = self.seconds()
        for limited in [limited for limited in self._watched if limited.deadline <= now]:
            limited.expired(now)
        if self._watched and self._call is None:
            self._call = self.clock.callLater(self._interval, self._look)
