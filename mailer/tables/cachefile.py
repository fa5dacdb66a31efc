"""Where a cache's entries are when the service is not running: an LMDB file, or an SQLite file of our own.

Both are written in batches by one thread at a time and never hold anything that could not be found out again, so an entry
of the last second may be lost. An LMDB file is the one that Postfix would write. Berkeley DB files cannot be changed in
place while others read them, so for every other type the entries are in ``path.sqlite``; when that is made, what Postfix has
left in ``path.db`` is taken over.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable
from typing import Any, Protocol

from mailer.interfaces.table import TableOptions
from mailer.tables.bdb.read import entries

__all__ = ["CacheFile", "Changes", "open_file"]

Changes = Iterable[tuple[str, str | None]]

_SUFFIX = ".sqlite"
_LONGEST_KEY = 500
_PATIENCE = 5.0


class CacheFile(Protocol):
    """All methods may block; ``write`` and ``find`` may be called in any thread, one at a time."""

    def load(self) -> list[tuple[str, str]]:
        """All entries. :raise OSError, sqlite3.Error: the file is of no use."""

    def write(self, changes: Changes) -> None:
        """Keys with their new values; None: forget the key."""

    def find(self, key: str) -> str | None:
        """What another process may have written meanwhile."""

    def close(self) -> None: ...


class SqliteFile:
    """``is_new``: there was none until now.

    :param path: without the suffix."""

    def __init__(self, path: str) -> None:
        self.path = path + _SUFFIX
        self.is_new = not os.path.exists(self.path)
        self._connection = sqlite3.connect(self.path, _PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            # Caches name people and their correspondents.
            os.chmod(self.path, 0o600)
            self._hand_over()
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = normal")
            self._connection.execute(
                "create table if not exists entry (key blob primary key, value blob) without rowid"
            )
        except BaseException:
            self._connection.close()
            raise

    def _hand_over(self) -> None:
        """Made by root before it gives its rights up: whoever owns the directory has to be able to go on."""
        if os.geteuid() == 0:
            directory = os.stat(os.path.dirname(self.path) or ".")
            os.chown(self.path, directory.st_uid, directory.st_gid)

    def load(self) -> list[tuple[str, str]]:
        rows = self._connection.execute("select key, value from entry")
        return [(_text(key), _text(value)) for key, value in rows]

    def write(self, changes: Changes) -> None:
        execute = self._connection.execute
        execute("begin immediate")
        try:
            for key, value in changes:
                if value is None:
                    execute("delete from entry where key = ?", (_octets(key),))
                else:
                    execute("insert or replace into entry values (?, ?)", (_octets(key), _octets(value)))
        except BaseException:
            execute("rollback")
            raise
        execute("commit")

    def find(self, key: str) -> str | None:
        row = self._connection.execute("select value from entry where key = ?", (_octets(key),)).fetchone()
        return None if row is None else _text(row[0])

    def close(self) -> None:
        self._connection.close()


class LmdbFile:
    """``lmdb:path``, opened for each batch: other programs may read it in between."""

    def __init__(self, path: str, context: Any) -> None:
        self._path = path
        self._context = context
        self._options = TableOptions(duplicates="replace")
        self.write(())

    def _writer(self) -> Any:
        from mailer.tables.lmdb import LmdbWriter

        return LmdbWriter(self._path, self._context, self._options, False, 0o600)

    def load(self) -> list[tuple[str, str]]:
        from mailer.tables.lmdb import LmdbTable

        table = LmdbTable(self._path, self._context)
        try:
            return list(table.items())
        finally:
            table.close()

    def write(self, changes: Changes) -> None:
        writer = self._writer()
        try:
            for key, value in changes:
                if len(_octets(key)) > _LONGEST_KEY:
                    continue  # more than LMDB takes; this process remembers it
                if value is None:
                    writer.delete(key)
                else:
                    writer.add(key, value)
        except BaseException:
            writer.abort()
            raise
        writer.close()

    def find(self, key: str) -> str | None:
        return None  # an LMDB file has one writer: this process, which remembers all

    def close(self) -> None:
        """Nothing is open between two batches."""


def open_file(spec: str, context: Any) -> CacheFile | None:
    """:param spec: ``type:path`` as main.cf has it. :return: None for a cache that is kept in memory only.
    :raise OSError, sqlite3.Error, ConfigError: the file cannot be used."""
    type, _, path = spec.removeprefix("proxy:").partition(":")
    if not path or type == "internal":
        return None
    if type == "lmdb":
        return LmdbFile(path, context)
    file = SqliteFile(path)
    if file.is_new and type in ("btree", "hash") and os.path.exists(f"{path}.db"):
        _take_over(type, path, context, file)
    return file


def _take_over(type: str, path: str, context: Any, file: SqliteFile) -> None:
    """What Postfix remembered until now is worth having; that it cannot be read costs no more than that."""
    old = f"{path}.db"
    try:
        with open(old, "rb") as source:
            fcntl.flock(source.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)  # a Postfix that runs never lets it go
            found = [(_text(key.rstrip(b"\0")), _text(value.rstrip(b"\0"))) for key, value in entries(source.read())]
    except (OSError, ValueError) as error:
        context.log.warning(f"{type}:{path}: {error}; nothing is taken over from {old}")
        return
    file.write(found)
    context.log.info(f"cache {type}:{path}: {len(found)} entries taken over from {old}")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
