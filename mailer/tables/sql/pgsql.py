"""``pgsql:``: PostgreSQL (pgsql_table(5)), by psycopg 3 in threads: the driver that PostgreSQL's own community keeps, on the
server's own client library, with wheels for every platform.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from mailer.config.errors import ConfigError
from mailer.tables.parameters import Parameters
from mailer.tables.sql.hosts import Host, in_order, parse_host
from mailer.tables.sql.query import Query, read_query, required
from mailer.tables.sql.server import Lost, Refused
from mailer.tables.sql.table import Database, SqlTable
from mailer.tables.text import octets, string

__all__ = ["PgsqlTable"]


class PgsqlTable(SqlTable):
    """As in Postfix NULL is an empty value, which is told and left out."""

    type = "pgsql"
    null = ""

    def read(self, source: Parameters) -> tuple[Query, Hashable, Callable[[], Database]]:
        login: dict[str, Any] = {
            "user": source.text("user"),
            "password": source.text("password"),
            "dbname": required(source, "dbname"),
            "client_encoding": source.text("encoding", "UTF8") or "UTF8",
            "connect_timeout": max(2, round(source.seconds("connect_time_limit", 5))),
            "fallback_application_name": "mailer",
        }
        words = source.words("hosts", "localhost") or ("localhost",)
        query = read_query(source, with_function=True)
        size = source.integer("pool_size", 4, 1)
        try:
            connects = [
                (host.name, partial(_Connection, _conninfo(host, login), query.attempt)) for host in _hosts(words)
            ]
        except psycopg.Error as error:
            raise ConfigError(f"{source.name}: hosts: {error}") from None
        title = f"pgsql:{login['dbname']}"
        make = partial(Database, title, connects, size, query.attempt, self.context)
        return query, (words, tuple(login.items()), size, query.attempt), make

    def failed(self, host: str, reason: str) -> str:
        return f"pgsql query failed: fatal error from host {host}: {reason}"


def _is_url(word: str) -> bool:
    return word.startswith(("postgresql://", "postgres://"))


def _hosts(words: tuple[str, ...]) -> list[Host]:
    return in_order(word for word in words if not _is_url(word)) + [
        Host(word, host=word) if _is_url(word) else parse_host(word) for word in words if _is_url(word)
    ]


def _conninfo(host: Host, login: dict[str, Any]) -> str:
    if _is_url(host.host):
        given = {name: value for name, value in login.items() if name not in ("user", "password", "dbname")}
        return make_conninfo(host.host, **given)
    place: dict[str, Any] = {"host": host.path or host.host}
    if host.port:
        place["port"] = host.port
    return make_conninfo(**place, **{name: value for name, value in login.items() if value != ""})


class _Connection:
    """:param limit: seconds that the server may work on a query."""

    def __init__(self, conninfo: str, limit: float) -> None:
        try:
            self._connection = psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)
            self._connection.execute(f"SET statement_timeout = {round(limit * 1000)}")
        except psycopg.Error as error:
            raise Lost(str(error).strip()) from None
        self._escaping = psycopg.pq.Escaping(self._connection.pgconn)

    def quote(self, text: str) -> str:
        try:
            return string(bytes(self._escaping.escape_string(octets(text))))
        except psycopg.Error as error:
            raise Refused(str(error).strip()) from None

    def rows(self, query: str) -> list[list[str | None]]:
        try:
            cursor = self._connection.execute(octets(query))
            while cursor.nextset():
                pass  # of several statements the last one's rows count
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if self._connection.closed:
                raise Lost(str(error).strip()) from None
            raise Refused(str(error).strip()) from None
        except psycopg.Error as error:
            raise Refused(f"ERROR:  {error}".strip()) from None
        result = cursor.pgresult
        if result is None:
            return []
        # The server's own text, whatever the type.
        return [
            [
                None if (data := result.get_value(row, column)) is None else string(data)
                for column in range(result.nfields)
            ]
            for row in range(result.ntuples)
        ]

    def interrupt(self) -> None:
        # Whoever reads from the socket sees its end.
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as other:
            other.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._connection.close()
