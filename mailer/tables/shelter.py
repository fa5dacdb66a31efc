"""What stands between lookups and a data base on another machine: answers kept for a while, identical questions asked once,
one time limit for all that a lookup takes, and stale answers while nobody can be asked.

A table type gives ``ask(key)``; what it raises tells apart "nobody answers" (`Away`), for which a stale answer may stand in,
from every other TemporaryError (a limit that was hit, a filter that is wrong), for which none does.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError

from mailer.tables.answercache import AnswerCache, Lifetimes
from mailer.tables.flight import Flights
from mailer.tables.ranking import Away

__all__ = ["Shelter"]

#: Seconds between two reports about one outage.
_REPORT_SECONDS = 60.0


class Shelter:
    """:param name: of the table, for the log.
    :param ask: ``await ask(key)``: str or None. :raise TemporaryError: cannot tell now.
    :param limit: seconds that a lookup may take altogether.
    :param most: how many answers are kept.
    :param reactor: IReactorTime. :param log: the service's.

    ``asked``, ``kept``, ``stale``, ``failed`` and ``joined`` count lookups by what became of them.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[str], Coroutine[Any, Any, str | None]],
        lifetimes: Lifetimes,
        most: int,
        limit: float,
        reactor: Any,
        log: Any,
    ) -> None:
        self._name = name
        self._ask = ask
        self._lifetimes = lifetimes
        self._limit = limit
        self._reactor = reactor
        self._seconds = reactor.seconds
        self._log = log
        self._cache = AnswerCache(lifetimes, most)
        self._flights: Flights[str | None] = Flights()
        self._outage: _Outage | None = None
        self.asked = 0
        self.kept = 0
        self.stale = 0
        self.failed = 0

    @property
    def joined(self) -> int:
        return self._flights.joined

    async def find(self, key: str) -> str | None:
        """:raise TemporaryError: cannot tell now."""
        kept = self._cache.fresh(key, self._seconds())
        if kept is not None:
            self.kept += 1
            return kept[0]
        try:
            return await self._flights.ask(key, partial(self._fetch, key))
        except Away as error:
            return self._stand_in(key, error)

    def close(self) -> None:
        """Forget all answers."""
        self._cache.forget()

    async def _fetch(self, key: str) -> str | None:
        self.asked += 1
        question = Deferred.fromCoroutine(self._ask(key)).addTimeout(self._limit, self._reactor)
        try:
            answer = await question
        except (TimeoutError, CancelledError):
            raise Away(f"no answer within {self._limit:g} seconds") from None
        self._cache.keep(key, answer, self._seconds())
        if self._outage is not None:
            self._over(self._outage)
        return answer

    def _stand_in(self, key: str, error: Away) -> str | None:
        """The stale answer; ``error`` if there is none that may be used."""
        now = self._seconds()
        outage = self._outage
        if outage is None:
            outage = self._outage = _Outage(now)
        stale = self._cache.stale(key, now)
        if stale is None:
            self.failed += 1
            outage.failed += 1
        else:
            self.stale += 1
            outage.stale += 1
        if now >= outage.report:
            outage.report = now + _REPORT_SECONDS
            self._log.warning(f"{self._name}: {error.cause}{self._so_far(outage)}")
        if stale is None:
            raise error
        return stale[0]

    def _so_far(self, outage: _Outage) -> str:
        """Nothing at the first sign of an outage that no stale answer covers: what failed is told by who asked."""
        if not outage.stale and outage.failed <= 1:
            return ""
        return f"; answers up to {self._lifetimes.stale_value:g} seconds too old are used: {outage.counted()}"

    def _over(self, outage: _Outage) -> None:
        self._outage = None
        seconds = self._seconds() - outage.since
        self._log.info(f"{self._name}: answering again after {seconds:.1f} seconds: {outage.counted()}")


class _Outage:
    """What happened since nobody could be asked."""

    def __init__(self, now: float) -> None:
        self.since = now
        self.report = now
        self.stale = 0
        self.failed = 0

    def counted(self) -> str:
        return f"{self.stale} lookups answered so far, {self.failed} not"
