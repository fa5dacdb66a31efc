"""One directory server and the few connections to it that all lookups share; requests are pipelined over them."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError

from mailer.tables.flight import Flights
from mailer.tables.ldap.access import Access
from mailer.tables.ldap.connection import SIGN_OF_LIFE, Connection, ConnectionGone, Reply
from mailer.tables.ldap.opening import open_connection
from mailer.tables.ldap.urls import Location
from mailer.tables.ranking import Away, ServerAway

__all__ = ["DirectoryServer"]

#: Answers outstanding on every connection from which on one more connection is opened.
_BUSY = 8
#: Answers outstanding on one connection at most; further requests wait. OpenLDAP's slapd ends a connection on which more
#: than a hundred wait (conn_max_pending).
_WINDOW = 48


class DirectoryServer:
    """:param context: reactor and dns. ``asked`` counts requests."""

    def __init__(self, location: Location, access: Access, context: Any) -> None:
        self.name = location.name
        self.asked = 0
        self._location = location
        self._access = access
        self._context = context
        self._reactor = context.reactor
        self._open: list[Connection] = []
        self._opening: Flights[Connection] = Flights()
        self._line: deque[Deferred[None]] = deque()
        self._closed = False

    async def ask(self, operation: bytes, controls: bytes = b"") -> Reply:
        """:raise ServerAway: it does not answer. :raise Away: this request was not answered in time."""
        again = True
        while True:
            try:
                connection = await self._connection()
                self.asked += 1
                return await self._answer(connection, operation, controls)
            except ConnectionGone as error:
                # A server may end a connection that was idle; a new one will tell whether it is still there.
                if not again or error.hung:
                    raise ServerAway(str(error)) from None
                again = False
            finally:
                self._next_in_line()

    async def probe(self) -> None:
        """:raise ServerAway: it does not answer within the time for opening a connection."""
        try:
            connection = await self._connection()
            limit = self._access.connect
            await connection.ask(SIGN_OF_LIFE).addTimeout(limit, self._reactor)
        except ConnectionGone as error:
            raise ServerAway(str(error)) from None
        except TimeoutError:
            connection.abort("no answer to a probe", hung=True)
            raise ServerAway(f"no answer within {limit:g} seconds") from None

    async def exclusive(self) -> Connection:
        """A connection for one user, who closes it: a server keeps the state of paged results by connection.

        :raise ServerAway:"""
        return await self._opened(lambda _: None)

    async def answer(self, connection: Connection, operation: bytes, controls: bytes = b"") -> Reply:
        """Ask over an exclusive connection. :raise ServerAway, Away:"""
        try:
            return await self._answer(connection, operation, controls)
        except ConnectionGone as error:
            raise ServerAway(str(error)) from None

    def close(self) -> None:
        self._closed = True
        for connection in tuple(self._open):
            connection.close()

    async def _answer(self, connection: Connection, operation: bytes, controls: bytes) -> Reply:
        asked = connection.ask(operation, controls).addTimeout(self._access.timeout, self._reactor)
        try:
            return await asked
        except TimeoutError:
            raise Away(f"{self.name}: Search error -5: Timed out") from None

    async def _connection(self) -> Connection:
        """The connection with the least to do, once one has room for a request."""
        while True:
            if self._closed:
                raise ServerAway("closed")
            best = min(self._open, key=_load, default=None)
            if best is None:
                await self._opening.ask("", self._another)
                continue
            if best.load >= _BUSY and len(self._open) < self._access.connections and not len(self._opening):
                # Those under way go on over what there is; if there is no second one, that is no reason for anything.
                more = self._opening.ask("", self._another)
                more.addErrback(lambda failure: failure.trap(ServerAway, CancelledError))
            if best.load < _WINDOW:
                return best
            turn: Deferred[None] = Deferred(self._line.remove)
            self._line.append(turn)
            await turn

    def _next_in_line(self) -> None:
        if self._line:
            self._line.popleft().callback(None)

    async def _another(self) -> Connection:
        connection = await self._opened(self._lost)
        if self._closed:
            connection.close()
            raise ServerAway("closed")
        self._open.append(connection)
        for _ in range(min(len(self._line), _WINDOW)):
            self._next_in_line()
        return connection

    async def _opened(self, lost: Any) -> Connection:
        limit = self._access.connect
        opening = Deferred.fromCoroutine(open_connection(self._location, self._access, self._context, lost))
        try:
            return await opening.addTimeout(limit, self._reactor)
        except TimeoutError:
            raise ServerAway(f"no connection within {limit:g} seconds") from None

    def _lost(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            self._next_in_line()
        if connection.hung:
            for other in tuple(self._open):
                other.abort(connection.reason, hung=True)


def _load(connection: Connection) -> int:
    return connection.load
