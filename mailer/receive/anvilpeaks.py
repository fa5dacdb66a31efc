"""The most that any client did since the last report, as anvil(8) logs it every anvil_status_update_time."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Peaks"]

_ORDER = ("connection rate", "connection count", "message rate", "recipient rate", "newtls rate", "auth rate")


class Peaks:
    """:param seconds: the wall clock. :param time_unit: anvil_rate_time_unit."""

    def __init__(self, seconds: Callable[[], float], time_unit: float) -> None:
        self._seconds = seconds
        self._unit = time_unit
        self._peaks: dict[str, tuple[int, tuple[str, str], float]] = {}
        self._most_clients = 0, 0.0

    def note(self, what: str, count: int, client: tuple[str, str]) -> None:
        """:param what: one of the six. :param client: service and address."""
        peak = self._peaks.get(what)
        if peak is None or count > peak[0]:
            self._peaks[what] = count, client, self._seconds()

    def clients(self, count: int) -> None:
        """How many clients are remembered."""
        if count > self._most_clients[0]:
            self._most_clients = count, self._seconds()

    def lines(self) -> list[str]:
        """What is to be logged now; the next report begins at nothing."""
        told = []
        for what in _ORDER:
            if what in self._peaks:
                count, (service, address), when = self._peaks[what]
                unit = f"/{int(self._unit)}s" if what.endswith("rate") else ""
                told.append(f"statistics: max {what} {count}{unit} for ({service}:{address}) at {_moment(when)}")
        count, when = self._most_clients
        if count:
            told.append(f"statistics: max cache size {count} at {_moment(when)}")
        self._peaks.clear()
        self._most_clients = 0, 0.0
        return told


def _moment(seconds: float) -> str:
    return time.strftime("%b %e %H:%M:%S", time.localtime(seconds))
