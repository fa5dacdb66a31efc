"""One server of a data base: its connections, kept while they are used, and questions asked over them.

A connection that turns out to be dead although it had worked (the server was restarted) is replaced at once, within the
same question. One on which somebody stopped waiting for an answer is cut, for the answer may still come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred, TimeoutError

from mailer.tables.ranking import ServerAway
from mailer.tables.sql.workers import Workers

__all__ = ["Connection", "Lost", "Refused", "Rows", "Server"]

#: Seconds after which a connection that nobody used is closed.
IDLE = 60.0

Rows = Sequence[Sequence[str | None]]
T = TypeVar("T")


class Lost(Exception):
    """No connection, or no longer one. The text says why."""


class Refused(Exception):
    """The server answered, and not with rows: the query is wrong, a table is missing, a lock could not be had."""


class Connection(Protocol):
    """What a driver makes. All but ``interrupt`` are called in one thread at a time and may block."""

    def quote(self, text: str) -> str:
        """Text as it may stand between quotes in a query. :raise Refused: it cannot be there."""

    def rows(self, query: str) -> Rows:
        """:raise Lost, Refused:"""

    def interrupt(self) -> None:
        """Make a call that is under way in another thread end soon. Does not block."""

    def close(self) -> None:
        """Does not raise."""


class _Attempt:
    """One question under way, in a thread."""

    def __init__(self, server: Server, connection: Connection | None, question: Callable[[Connection], T]) -> None:
        self._server = server
        self._connection = connection
        self._question = question
        self._given_up = False

    def run(self) -> Any:
        """The answer. The connection is the server's again if it is still good."""
        used_before = self._connection is not None
        try:
            connection = self._connected()
            try:
                answer = self._question(connection)
            except Lost:
                if not used_before or self._given_up:
                    raise
                connection.close()
                self._connection = None
                answer = self._question(self._connected())
        except Refused:
            self._leave()
            raise
        except BaseException:
            if self._connection is not None:
                self._connection.close()
            raise
        self._leave()
        return answer

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._server.connect()
            if self._given_up:
                raise Lost("given up")
        return self._connection

    def _leave(self) -> None:
        connection = self._connection
        assert connection is not None
        if self._given_up:
            connection.close()
        else:
            self._server.keep(connection)

    def interrupt(self) -> None:
        self._given_up = True
        connection = self._connection
        if connection is not None:
            connection.interrupt()


class Server:
    """:param name: for messages. :param connect: makes a connection, within a time of its own, or raises Lost.
    :param limit: seconds for one answer. :param reactor: IReactorTime."""

    def __init__(
        self, name: str, connect: Callable[[], Connection], workers: Workers, limit: float, reactor: Any
    ) -> None:
        self.name = name
        self.connect = connect
        self._workers = workers
        self._limit = limit
        self._reactor = reactor
        self._idle: list[tuple[float, Connection]] = []
        self._closed = False

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """:raise ServerAway: no answer. :raise Refused:"""
        attempt = _Attempt(self, self._take(), question)
        work = Deferred.fromCoroutine(self._workers.run(attempt.run, attempt.interrupt))
        try:
            answer: T = await work.addTimeout(self._limit, self._reactor) if not work.called else await work
        except Lost as error:
            raise ServerAway(str(error)) from None
        except (TimeoutError, CancelledError):
            raise ServerAway(f"no answer within {self._limit:g} seconds") from None
        return answer

    async def probe(self) -> None:
        """:raise ServerAway: it takes no connection, or does not answer on it."""
        try:
            await self.ask(lambda connection: connection.rows("SELECT 1"))
        except Refused as error:
            raise ServerAway(str(error)) from None

    def keep(self, connection: Connection) -> None:
        """A connection that may be used again; called in any thread."""
        if self._closed:
            connection.close()
        else:
            self._idle.append((self._reactor.seconds(), connection))

    def _take(self) -> Connection | None:
        """The one used last; those unused for long are closed."""
        limit = self._reactor.seconds() - IDLE
        while self._idle:
            # Threads append meanwhile: look and take in one step.
            used, connection = self._idle.pop()
            if used > limit:
                return connection
            connection.close()
        return None

    def sweep(self) -> None:
        """Close connections that nobody used for long."""
        limit = self._reactor.seconds() - IDLE
        while self._idle and self._idle[0][0] <= limit:
            self._idle.pop(0)[1].close()

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop()[1].close()
