"""A table in an SQL data base: what the types sqlite, mysql and pgsql share, from the key to the value.

A lookup is: key checked and folded, domain list, kept answer, query at the best server, rows. Whatever is not rows is
"cannot tell now".
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from mailer.tables.base import FixedTable
from mailer.tables.expansion import split_at
from mailer.tables.failure import QueryError
from mailer.tables.match import StringList
from mailer.tables.parameters import Parameters
from mailer.tables.ranking import Ranking
from mailer.tables.shelter import Shelter
from mailer.tables.sql.query import Query, TooMany
from mailer.tables.sql.server import Connection, Refused, Rows, Server
from mailer.tables.sql.workers import Workers

__all__ = ["Database", "SqlTable"]


class Database:
    """The servers of one data base, shared by the tables of a service that log in the same way.

    :param connects: for each server its name and what makes a connection to it.
    :param connections: how many there are at a time, of all servers together.
    """

    def __init__(
        self,
        title: str,
        connects: Sequence[tuple[str, Callable[[], Connection]]],
        connections: int,
        limit: float,
        context: Any,
    ) -> None:
        reactor = context.reactor
        self._workers = Workers(reactor, connections)
        self.ranking = Ranking(
            [Server(name, connect, self._workers, limit, reactor) for name, connect in connects],
            title,
            reactor.seconds,
            context.log,
        )
        self._reactor = reactor
        self._sweep: Any = None

    async def ask(self, question: Callable[[Connection], Rows]) -> tuple[Server, Rows]:
        """Rows and who gave them. :raise Away: nobody answers. :raise Refused:"""

        async def attempt(server: Server) -> tuple[Server, Rows]:
            try:
                return server, await server.ask(question)
            except Refused as error:
                error.args = (server.name, str(error))
                raise

        if self._sweep is None and getattr(self._reactor, "getThreadPool", None) is not None:
            self._sweep = self._reactor.callLater(60, self._swept)
        return await self.ranking.ask(attempt)

    def _swept(self) -> None:
        self._sweep = None
        for server in self.ranking.servers:
            server.sweep()

    def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        for server in self.ranking.servers:
            server.close()
        self._workers.stop()


class SqlTable(FixedTable):
    """A type says how its messages read, which columns count, and what NULL means; ``read`` gives query and data base."""

    #: Before the key in the complaint about too many values.
    before_key = "key: "
    #: Whether only the first column of a row counts.
    first_column = False
    #: What stands in for NULL; None: nothing, silently.
    null: str | None = None

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        source = Parameters(argument, context)
        self._name = source.name
        self.query, key, make = self.read(source)
        self.database: Database = context.tables.share((self.type, key), make)
        domains = self.query.domains
        self._domains = StringList(domains, context, f"{self.name}:domain") if domains else None
        query = self.query
        self.shelter = Shelter(
            self.name, self._ask, query.lifetimes, query.answers, query.seconds, context.reactor, context.log
        )

    def read(self, source: Parameters) -> tuple[Query, Hashable, Callable[[], Database]]:
        """The query, what makes two tables use the same data base, and the data base. :raise ConfigError:"""
        raise NotImplementedError

    def failed(self, host: str, reason: str) -> str:
        """The log's words for a query that failed."""
        raise NotImplementedError

    async def lookup(self, key: str) -> str | None:
        self._asked = key
        if not key.isascii() and not self.acceptable(key):
            return None
        key = self.folded(key)
        if not key or "\0" in key:
            return None
        if self._domains is not None:
            local, domain = split_at(key)
            if not local or not domain or not await self._domains.match(domain):
                return None
        if self.query.text(key, str) is None:
            return None
        return await self.shelter.find(key)

    async def _ask(self, key: str) -> str | None:
        try:
            _, rows = await self.database.ask(lambda connection: self._rows(connection, key))
        except Refused as error:
            text = self.failed(*error.args)
            self.log.warning(text)
            raise QueryError(f"{self.name}: {text}") from None
        columns = (row[:1] for row in rows) if self.first_column else rows
        found = (self.null if column is None else column for row in columns for column in row)
        try:
            value = self.query.value(key, found, lambda: self._empty(key))
        except TooMany:
            text = f"dict_{self.type}_lookup: {self._name}: Expansion limit exceeded for {self.before_key}'{key}'"
            self.log.warning(text)
            raise QueryError(text) from None
        return None if value is None else self.checked(key, value)

    def _rows(self, connection: Connection, key: str) -> Rows:
        text = self.query.text(key, connection.quote)
        assert text is not None
        return connection.rows(text)

    def _empty(self, key: str) -> None:
        self.log.warning(f'table "{self.name}": empty lookup result for: "{key}" -- ignored')
