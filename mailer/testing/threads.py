"""A reactor for tests of code that uses threads: time stands still, what threads call arrives when the test waits for it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from queue import Empty, SimpleQueue
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

__all__ = ["ThreadedClock"]


class ThreadedClock(Clock):
    """A Clock that also provides IReactorFromThreads; the test's thread plays the reactor thread."""

    def __init__(self, patience: float = 20.0) -> None:
        super().__init__()
        self._patience = patience
        self._calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = SimpleQueue()

    def callFromThread(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        self._calls.put((function, arguments, keywords))

    def turn(self) -> None:
        """Wait for one call from a thread and run it. :raise AssertionError: none came."""
        try:
            function, arguments, keywords = self._calls.get(timeout=self._patience)
        except Empty:
            raise AssertionError("no thread has anything to say") from None
        function(*arguments, **keywords)

    def finish(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end. :return: its result. :raise: what it raises."""
        return self.wait(Deferred.fromCoroutine(coroutine))

    def wait(self, deferred: Deferred[Any]) -> Any:
        """Turn until a Deferred has fired."""
        results: list[Any] = []
        deferred.addBoth(results.append)
        while not results:
            self.turn()
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    def until(self, condition: Callable[[], bool]) -> None:
        """Turn until something has come true."""
        while not condition():
            self.turn()
