"""Servers that hold the same data, in order of preference and health.

The first healthy one is asked; when it turns out to be away the next one is, within the same lookup. A server that is away
is probed in the background, one probe at a time, and takes its place again when it answers. When all are away, a lookup
whose turn it is waits for a probe, and all others are told so at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred

from mailer.tables.breaker import Breaker
from mailer.tables.failure import QueryError

__all__ = ["Away", "Ranking", "ServerAway"]


class ServerAway(Exception):
    """One server cannot be asked now, or did not answer. The text says why."""


class Away(QueryError):
    """No server can be asked now."""


class _Server(Protocol):
    @property
    def name(self) -> str: ...

    def probe(self) -> Awaitable[None]:
        """Find out whether it answers, within a time of its own. :raise ServerAway: it does not."""


S = TypeVar("S", bound=_Server)
Answer = TypeVar("Answer")


class Ranking(Generic[S]):
    """:param servers: in order of preference. :param title: what they serve, for the log.
    :param seconds: a clock that only goes forward. :param breaker: makes the breaker of a server.
    """

    def __init__(
        self,
        servers: Sequence[S],
        title: str,
        seconds: Callable[[], float],
        log: Any,
        breaker: Callable[[], Breaker] = Breaker,
    ) -> None:
        self.servers = tuple(servers)
        self._title = title
        self._seconds = seconds
        self._log = log
        self._breakers = {server: breaker() for server in self.servers}

    async def ask(self, attempt: Callable[[S], Awaitable[Answer]]) -> Answer:
        """The answer of the best server.

        :param attempt: asks one server; ServerAway sends the question to the next one, anything else is the answer.
        :raise Away: none can be asked.
        """
        tried: set[S] = set()
        self._probe_those_away()
        while (server := await self._next(tried)) is not None:
            tried.add(server)
            try:
                return await attempt(server)
            except ServerAway as error:
                self.lost(server, str(error))
        raise Away(f"{self._title}: {self.reasons()}")

    def breaker(self, server: S) -> Breaker:
        return self._breakers[server]

    def reasons(self) -> str:
        """Why each server is away."""
        return "; ".join(f"{server.name}: {self._breakers[server].reason or 'busy'}" for server in self.servers)

    def lost(self, server: S, reason: str) -> None:
        """A server was found away."""
        if self._breakers[server].trip(self._seconds(), reason):
            self._log.warning(f"{self._title}: {server.name} is away: {reason}")

    async def _next(self, tried: set[S]) -> S | None:
        for server in self.servers:
            if server not in tried and self._breakers[server].closed:
                return server
        now = self._seconds()
        for server in self.servers:
            if server not in tried and self._breakers[server].may_probe(now):
                await self._probe(server)
                if self._breakers[server].closed:
                    return server
        return None

    def _probe_those_away(self) -> None:
        """In the background, if there is somebody to answer meanwhile."""
        away = [server for server in self.servers if not self._breakers[server].closed]
        if not away or len(away) == len(self.servers):
            return
        now = self._seconds()
        for server in away:
            if self._breakers[server].may_probe(now):
                Deferred.fromCoroutine(self._probe(server))

    async def _probe(self, server: S) -> None:
        breaker = self._breakers[server]
        breaker.begin_probe()
        try:
            await server.probe()
        except ServerAway as error:
            breaker.probe_failed(self._seconds(), str(error))
        except BaseException:
            # Given up before anything was known: the next one may try.
            breaker.probe_failed(self._seconds(), breaker.reason)
            raise
        else:
            if breaker.close():
                self._log.info(f"{self._title}: {server.name} answers again")
