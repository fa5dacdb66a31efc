"""Identical lookups under way are asked once: who comes while an answer is being fetched waits for that one.

Knows nothing of what is asked. The question goes on when one who waits loses interest, since others may wait, too.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["Flights"]

Answer = TypeVar("Answer")


class Flights(Generic[Answer]):
    """``joined`` counts the questions that needed no asking of their own."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, list[Deferred[Answer]]] = {}
        self.joined = 0

    def __len__(self) -> int:
        return len(self._under_way)

    def ask(self, key: Hashable, question: Callable[[], Coroutine[Any, Any, Answer]]) -> Deferred[Answer]:
        """:param question: called if nobody is asking for ``key``; its coroutine runs until it is done, whoever waits.
        :return: fires with what the coroutine returns or raises.
        """
        waiting = self._under_way.get(key)
        if waiting is None:
            waiting = self._under_way[key] = []
            mine = self._wait(waiting)
            Deferred.fromCoroutine(question()).addBoth(self._landed, key)
            return mine
        self.joined += 1
        return self._wait(waiting)

    @staticmethod
    def _wait(waiting: list[Deferred[Answer]]) -> Deferred[Answer]:
        # One who gives up takes only himself off: the canceller leaves the question alone.
        mine: Deferred[Answer] = Deferred(lambda cancelled: waiting.remove(cancelled))
        waiting.append(mine)
        return mine

    def _landed(self, result: Any, key: Hashable) -> None:
        # Off the list first: whoever asks from now on, even from a callback below, asks anew.
        waiting = self._under_way.pop(key)
        # A failure is for those who wait; when all have gone there is nobody to tell.
        for each in tuple(waiting):
            if isinstance(result, Failure):
                each.errback(Failure(result.value, result.type, result.tb))
            else:
                each.callback(result)
