"""``mysql:``: MySQL and MariaDB (mysql_table(5)), by PyMySQL in threads: kept well, pure Python, so nothing has to be compiled,
and both servers' ways of logging in.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import partial
from typing import Any

import pymysql

from mailer.config.errors import ConfigError
from mailer.tables.parameters import Parameters
from mailer.tables.sql.hosts import Host, in_order
from mailer.tables.sql.query import Query, read_query, required
from mailer.tables.sql.server import Lost, Refused
from mailer.tables.sql.table import Database, SqlTable
from mailer.tables.text import string

__all__ = ["MysqlTable"]

#: Where a server on this machine listens; the first that is there.
_SOCKETS = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock")


class MysqlTable(SqlTable):
    type = "mysql"

    def read(self, source: Parameters) -> tuple[Query, Hashable, Callable[[], Database]]:
        login: dict[str, Any] = {
            "user": source.text("user"),
            "password": source.text("password"),
            "database": required(source, "dbname"),
            "charset": source.text("charset", "utf8mb4") or "utf8mb4",
            "connect_timeout": max(1, round(source.seconds("connect_time_limit", 5))),
        }
        if source.text("option_file"):
            login["read_default_file"] = source.text("option_file")
            login["read_default_group"] = source.text("option_group", "client")
            if not os.access(login["read_default_file"], os.R_OK):
                raise ConfigError(f"{source.name}: option_file: cannot read {login['read_default_file']}")
        tls = _tls(source)
        words = source.words("hosts", "localhost") or ("localhost",)
        needed = source.boolean("require_result_set", True)
        query = read_query(source)
        size = source.integer("pool_size", 4, 1)
        connects = [
            (host.name, partial(_Connection, {**_place(host), **login, "ssl": tls or None}, query.attempt, needed))
            for host in in_order(words)
        ]
        make = partial(Database, f"mysql:{login['database']}", connects, size, query.attempt, self.context)
        return query, (words, tuple(login.items()), tuple(tls.items()), needed, size, query.attempt), make

    def failed(self, host: str, reason: str) -> str:
        return f"{self.name}: query failed: {reason}"


def _tls(source: Parameters) -> dict[str, Any]:
    names = {"tls_cert_file": "cert", "tls_key_file": "key", "tls_CAfile": "ca", "tls_CApath": "capath"}
    found: dict[str, Any] = {ours: text for name, ours in names.items() if (text := source.text(name))}
    if found:
        found["check_hostname"] = source.boolean("tls_verify_cert", False)
    return found


def _place(host: Host) -> dict[str, Any]:
    path = host.path
    if not path and host.host == "localhost" and not host.port:
        path = next((each for each in _SOCKETS if os.path.exists(each)), _SOCKETS[0])
    return {"unix_socket": path} if path else {"host": host.host, "port": host.port or 3306}


class _Connection:
    """:param needed: whether a query has to give rows."""

    def __init__(self, arguments: dict[str, Any], limit: float, needed: bool) -> None:
        self._needed = needed
        self._limit = limit
        try:
            self._connection = pymysql.connect(
                **{name: value for name, value in arguments.items() if value is not None},
                read_timeout=limit,
                write_timeout=limit,
                autocommit=True,
                conv={},  # the server's own text, whatever the type
            )
        except (pymysql.Error, OSError, ValueError) as error:
            raise Lost(_reason(error)) from None

    def quote(self, text: str) -> str:
        return str(self._connection.escape(text))[1:-1]  # without the quotes, which the query has

    def rows(self, query: str) -> list[list[str | None]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(query)
                return self._fetched(cursor)
        except (pymysql.OperationalError, pymysql.InterfaceError, OSError) as error:
            if not self._connection.open or isinstance(error, (pymysql.InterfaceError, OSError)) or _gone(error):
                raise Lost(_reason(error)) from None
            raise Refused(_reason(error)) from None
        except (pymysql.Error, UnicodeError) as error:
            raise Refused(_reason(error)) from None

    def _fetched(self, cursor: Any) -> list[list[str | None]]:
        if cursor.description is None:
            if self._needed:
                raise Refused("query returned no result set(require_result_set = yes)")
            return []
        found = [[_text(column) for column in row] for row in cursor.fetchall()]
        while cursor.nextset():
            if cursor.description is not None:
                raise Refused("multiple result sets returning data are not supported")
        return found

    def interrupt(self) -> None:
        held = getattr(self._connection, "_sock", None)
        if held is not None:
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(pymysql.Error, OSError):
            self._connection.close()


def _gone(error: Exception) -> bool:
    """Whether the connection is what failed: 2006 and 2013 of the client, 1053 and 1927 of a server that ends."""
    return bool(error.args) and error.args[0] in (2006, 2013, 1053, 1927)


def _reason(error: Exception) -> str:
    if isinstance(error, pymysql.Error) and len(error.args) > 1:
        return str(error.args[1])
    return str(error)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return string(value) if isinstance(value, bytes) else str(value)
