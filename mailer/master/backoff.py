"""When a daemon that has died is started again. Pure.

One that has served is started at once, so that a single fault costs nobody anything; one that dies again and again, or does
not even come up, waits longer each time, up to service_throttle_time. What somebody killed has done nothing wrong itself.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Backoff"]

#: Seconds in which deaths count together, and how many of them are forgiven.
_WINDOW = 60.0
_FORGIVEN = 5
_FIRST_PAUSE = 1.0
_KILLED_PAUSE = 0.2


class Backoff:
    """The record of one daemon. :param most: seconds that a pause may last."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._deaths: deque[float] = deque()
        self._false_starts = 0

    def served(self) -> None:
        """It has come up."""
        self._false_starts = 0

    def died(self, now: float, served: bool, killed: bool) -> float:
        """:param now: seconds of any clock. :param served: whether it had come up. :param killed: from outside, by SIGKILL or
        SIGTERM. :return: seconds to wait before the next start."""
        while self._deaths and now - self._deaths[0] > _WINDOW:
            self._deaths.popleft()
        if killed:
            return 0.0 if served else min(_KILLED_PAUSE, self._most)
        if not served:
            self._false_starts += 1
            return min(_FIRST_PAUSE * 2.0 ** (self._false_starts - 1), self._most)
        self._deaths.append(now)
        beyond = len(self._deaths) - _FORGIVEN
        return min(_FIRST_PAUSE * 2.0 ** (beyond - 1), self._most) if beyond > 0 else 0.0
