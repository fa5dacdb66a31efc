"""``sqlite:``: SQLite data bases (sqlite_table(5)), by the standard library's sqlite3, in threads.

As in Postfix only the first column counts. A data base that does not exist is an error, not an invitation to make one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any
from urllib.parse import quote as url_quote

from mailer.tables.parameters import Parameters
from mailer.tables.sql.query import Query, read_query, required
from mailer.tables.sql.server import Lost, Refused
from mailer.tables.sql.table import Database, SqlTable
from mailer.tables.text import octets, string, valid

__all__ = ["SqliteTable"]


class SqliteTable(SqlTable):
    type = "sqlite"
    before_key = "key "
    first_column = True

    def read(self, source: Parameters) -> tuple[Query, Hashable, Callable[[], Database]]:
        path = required(source, "dbpath")
        query = read_query(source)
        size = source.integer("pool_size", 2, 1)
        connects = [(path, partial(_Connection, path, query.attempt))]
        make = partial(Database, f"sqlite:{path}", connects, size, query.attempt, self.context)
        return query, (path, size, query.attempt), make

    def failed(self, host: str, reason: str) -> str:
        return f"dict_sqlite_lookup: {self._name}: SQL prepare failed: {reason}"


class _Connection:
    """:param limit: seconds to wait for somebody who writes."""

    def __init__(self, path: str, limit: float) -> None:
        try:
            self._database = sqlite3.connect(
                f"file:{url_quote(octets(path))}?mode=rw",
                uri=True,
                timeout=limit,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise Lost(f"open {path}: {error}") from None
        self._database.text_factory = bytes

    def quote(self, text: str) -> str:
        if not valid(text):
            raise Refused("the key is not UTF-8")
        return text.replace("'", "''")

    def rows(self, query: str) -> list[list[str | None]]:
        try:
            return [[_text(row[0])] for row in self._database.execute(query)]
        except sqlite3.InterfaceError as error:
            raise Lost(str(error)) from None
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise Refused(str(error)) from None

    def interrupt(self) -> None:
        self._database.interrupt()

    def close(self) -> None:
        self._database.close()


def _text(value: Any) -> str | None:
    """A column as SQLite itself would write it."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return string(value.partition(b"\0")[0])
    if isinstance(value, float):
        text = f"{value:.15g}"
        mantissa, e, exponent = text.partition("e")
        return text if "." in mantissa or not mantissa[-1].isdigit() else f"{mantissa}.0{e}{exponent}"
    return str(value)
