"""Answers kept for as long as they may be, the least recently used one given up first; questions under way asked once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailer.message.dns import Answer
from mailer.message.status import TemporaryError

__all__ = ["Cache"]


class Cache:
    """Answers by question.

    :param seconds: the reactor's clock.
    :param limit: how many answers are kept.
    :param longest: seconds after which any answer is forgotten.
    """

    def __init__(self, seconds: Callable[[], float], limit: int = 10_000, longest: float = 86_400.0) -> None:
        self._seconds = seconds
        self._limit = limit
        self._longest = longest
        self._kept: OrderedDict[Hashable, tuple[float, Answer]] = OrderedDict()
        self._asked: dict[Hashable, list[Deferred[Answer]]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        """Forget all answers: they may come from servers that are no longer asked."""
        self._kept.clear()

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer, from memory or by ``ask``; one that asks what another one is asking shares that answer, or failure."""
        found = self._kept.get(key)
        if found is not None:
            if found[0] > self._seconds():
                self._kept.move_to_end(key)
                return found[1]
            del self._kept[key]
        others = self._asked.get(key)
        if others is not None:
            shared: Deferred[Answer] = Deferred()
            others.append(shared)
            return await shared
        return await self._first(key, ask)

    async def _first(self, key: Hashable, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        self._asked[key] = []
        # What the others get if whoever asked first gives up without an answer.
        result: Any = Failure(TemporaryError("Host not found, try again", "4.4.3"))
        try:
            result = answer = await ask()
        except Exception:
            result = Failure()
            raise
        else:
            self._keep(key, answer)
            return answer
        finally:
            for other in self._asked.pop(key):
                other.callback(result)

    def _keep(self, key: Hashable, answer: Answer) -> None:
        if answer.ttl > 0:
            self._kept[key] = (self._seconds() + min(answer.ttl, self._longest), answer)
            if len(self._kept) > self._limit:
                self._kept.popitem(last=False)
