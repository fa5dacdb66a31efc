"""What a command has in place of a running reactor: a clock, and the real thing from the moment a table needs the network.

Most commands ask files only; they never import a reactor. There are no threads here: whoever would use one finds
``getThreadPool`` None and does the work where it stands.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred

__all__ = ["OccasionalReactor", "WaitsForNothing"]

#: Seconds of a turn in which nothing happens.
_TURN_SECONDS = 1.0


class WaitsForNothing(Exception):
    """What was to be finished waits for something that a command does not have."""


class OccasionalReactor:
    """Stands where a reactor is expected (IReactorTime, IReactorTCP, IReactorUNIX ...)."""

    seconds = staticmethod(time.monotonic)
    getThreadPool = None

    def __init__(self) -> None:
        self._real: Any = None

    def __getattr__(self, name: str) -> Any:
        # Only reached for what this class does not have.
        if name.startswith("_"):
            raise AttributeError(name)
        if self._real is None:
            from twisted.internet import reactor

            self._real = reactor
            if not self._real.running:
                self._real.startRunning(installSignalHandlers=False)
        return getattr(self._real, name)

    def finish(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end. :return: its result. :raise: what it raises, or WaitsForNothing."""
        results: list[Any] = []
        waiting = Deferred.fromCoroutine(coroutine)
        waiting.addBoth(results.append)
        while not results:
            if self._real is None:
                waiting.cancel()
                raise WaitsForNothing
            due = self._real.timeout()  # None: nothing is
            self._real.iterate(_TURN_SECONDS if due is None else min(due, _TURN_SECONDS))
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]
