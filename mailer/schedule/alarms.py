"""What is to happen later, in order of time. Knows no clock: it is told what time it is.

A target has at most one alarm; setting another, or clearing it, makes the earlier one void.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any, Protocol

__all__ = ["Alarms", "Target"]


class Target(Protocol):
    """Something that waits. ``alarm`` is the serial number of its pending alarm, 0 for none."""

    alarm: int


class Alarms:
    """A heap of ``(when, serial, target)``; times in seconds."""

    __slots__ = ("_heap", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Any]] = []
        self._serial = 0

    def set(self, when: float, target: Target) -> None:
        self._serial = target.alarm = self._serial + 1
        heappush(self._heap, (when, self._serial, target))

    def next(self) -> float | None:
        """The time of the earliest alarm that still counts."""
        heap = self._heap
        while heap and heap[0][2].alarm != heap[0][1]:
            heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now: float) -> list[Any]:
        """The targets whose time has come; their alarms are spent."""
        targets = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            _, serial, target = heappop(heap)
            if target.alarm == serial:
                target.alarm = 0
                targets.append(target)
        return targets
