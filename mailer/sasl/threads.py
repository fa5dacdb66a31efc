"""Work that takes longer than the reactor can spare: hashing passwords, reading files, libraries that wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.threads import deferToThreadPool

__all__ = ["Threads"]

_T = TypeVar("_T")


class Threads:
    """:param reactor: with a thread pool (IReactorThreads); without one work is done at once, as tools and tests like it.
    :param most: pieces of work under way and waiting; beyond that no more is taken."""

    def __init__(self, reactor: Any, most: int = 100) -> None:
        self._reactor = reactor
        self._pool = getattr(reactor, "getThreadPool", None)
        self._most = most
        self._under_way = 0

    @property
    def busy(self) -> bool:
        """Whether there is no room for more."""
        return self._under_way >= self._most

    async def run(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """:return: what ``work`` returns. :raise: what it raises."""
        if self._pool is None:
            return work(*arguments)
        self._under_way += 1
        try:
            result: _T = await deferToThreadPool(self._reactor, self._pool(), work, *arguments)
            return result
        finally:
            self._under_way -= 1
