"""Failed logins, counted by address and by login name; each one more doubles the time that the next answer takes.

Guessing gets slow without locking anybody out: who knows the password waits for others' failures at the own address only.
Postfix has nothing of the kind; smtpd_sasl_failure_delay = 0 turns it off.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["LoginFailures"]

#: Addresses and names remembered; beyond this the oldest are forgotten.
_MANY = 10_000


class LoginFailures:
    """Shared by the sessions of one service in one process.

    :param seconds: a clock that only goes forward.
    :param first: seconds of the first delay. :param longest: seconds of the longest.
    :param free: failures without a delay. :param memory: seconds after the last failure until all is forgotten.
    """

    def __init__(self, seconds: Callable[[], float], first: float, longest: float, free: int, memory: float) -> None:
        self._seconds = seconds
        self._first = first
        self._longest = longest
        self._free = free
        self._memory = memory
        self._counts: dict[tuple[str, str], tuple[int, float]] = {}

    def failed(self, address: str, username: str) -> float:
        """A login has failed. :param username: "" if unknown. :return: seconds until the answer."""
        delay = self._delay(self._count("address", address))
        return max(delay, self._delay(self._count("user", username.casefold()))) if username else delay

    def delay(self, address: str) -> float:
        """Seconds until the answer to a login that did not fail."""
        count, last = self._counts.get(("address", address), (0, 0.0))
        return self._delay(count) if last + self._memory > self._seconds() else 0.0

    def _delay(self, count: int) -> float:
        over = count - self._free
        return min(self._first * 2 ** min(over - 1, 32), self._longest) if over > 0 else 0.0

    def _count(self, kind: str, whom: str) -> int:
        now, key = self._seconds(), (kind, whom)
        count, last = self._counts.pop(key, (0, 0.0))
        count = count + 1 if last + self._memory > now else 1
        while len(self._counts) >= _MANY:
            del self._counts[next(iter(self._counts))]
        self._counts[key] = count, now  # at the end: the dict is ordered by the last failure
        return count
