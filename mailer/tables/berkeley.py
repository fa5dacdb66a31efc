"""``hash:/file`` and ``btree:/file``: Berkeley DB files that postmap makes (DATABASE_README, DB_README).

Reading and writing them needs the optional package berkeleydb. A file is read into memory as a whole, under the lock that
Postfix's postmap holds while it writes, because its pages may change at any time; a changed file is read again. A new file
is written beside its final name and renamed.

Without the package a table whose source text is there is read from the text, as texthash: would (or, for the tables that
alias_maps and alias_database name, as postalias would), and a warning says so: an existing main.cf works.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from typing import Any

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.table import IListedTable, ITableWriter, TableOptions
from mailer.tables.aliases import alias_entries
from mailer.tables.base import FixedTable
from mailer.tables.text import octets, string
from mailer.tables.texthash import TextTable
from mailer.tables.watched import Watched, signature

__all__ = ["BerkeleyTable", "BerkeleyWriter", "btree_table", "btree_writer", "hash_table", "hash_writer"]

_SUFFIX = ".db"
_MISSING = "needs the Python package berkeleydb"
_INSTALL = "pip install mailer[berkeleydb]"


def _library() -> Any:
    """The optional package's module, or None."""
    try:
        from berkeleydb import db
    except ImportError:
        return None
    return db


def hash_table(argument: str, context: Any) -> Any:
    return _table("hash", argument, context)


def btree_table(argument: str, context: Any) -> Any:
    return _table("btree", argument, context)


def _table(type: str, argument: str, context: Any, library: Callable[[], Any] = _library) -> Any:
    db = library()
    if db is not None:
        return BerkeleyTable(type, argument, context, db)
    if not os.path.exists(argument):
        raise ConfigError(f"lookup table type {type} {_MISSING}", _INSTALL)
    context.log.warning(f"{type}:{argument} {_MISSING} ({_INSTALL}); reading its source text {argument} instead")
    settings = context.settings
    spec = f"{type}:{argument}"
    aliases = settings is not None and (spec in settings.alias_maps or spec in settings.alias_database)
    return (_AliasSource if aliases else _MapSource)(type, argument, context)


class _MapSource(TextTable):
    """The text that postmap would read."""

    def __init__(self, type: str, argument: str, context: Any) -> None:
        self.type = type
        super().__init__(argument, context)


class _AliasSource(_MapSource):
    """The text that postalias would read."""

    def _parse(self, text: str, warn: Callable[[str], None]) -> dict[str, str]:
        table: dict[str, str] = {}
        for _, name, value in alias_entries(text, self._path, warn, self.options.utf8):
            folded = self.folded(name)
            if folded in table:
                warn(f'{self._path}: duplicate entry: "{folded}"')
            else:
                table[folded] = value
        return table


class _Contents(Watched[dict[bytes, bytes]]):
    """All entries of a Berkeley DB file."""

    def __init__(self, path: str, context: Any, db: Any) -> None:
        self._db = db
        super().__init__(path, context, lambda text, warn: {}, "open database")

    def _read(self) -> tuple[tuple[int, ...], dict[bytes, bytes], list[str]]:
        with open(self._path, "rb") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_SH)
            status = os.fstat(lock.fileno())
            database = self._db.DB()
            try:
                database.set_cachesize(0, self._context.settings.berkeley_db_read_buffer_size)
                database.open(self._path, dbtype=self._db.DB_UNKNOWN, flags=self._db.DB_RDONLY)
                entries = dict(database.items())
            except self._db.DBError as error:
                raise ConfigError(f"open database {self._path}: {error}") from error
            finally:
                database.close()
        return signature(status), entries, []


@implementer(IListedTable)
class BerkeleyTable(FixedTable):
    """Reads ``argument.db``, with or without NUL behind keys and values. The file says whether it is a hash or a tree."""

    def __init__(self, type: str, argument: str, context: Any, db: Any) -> None:
        self.type = type
        super().__init__(argument, context)
        self.shown = self.name + _SUFFIX
        self._file = _Contents(argument + _SUFFIX, context, db)
        nul = self.options.nul
        self._endings = (b"\0", b"") if nul is None else (b"\0",) if nul else (b"",)

    def find(self, key: str) -> str | None:
        data = octets(key)
        entries = self._file.current()
        for ending in self._endings:
            value = entries.get(data + ending)
            if value is not None:
                return self.checked(key, string(value.removesuffix(b"\0")))
        return None

    def items(self) -> Iterator[tuple[str, str]]:
        for key, value in self._file.current().items():
            yield string(key.removesuffix(b"\0")), string(value.removesuffix(b"\0"))


def hash_writer(path: str, context: Any, options: TableOptions, create: bool, mode: int = 0o644) -> BerkeleyWriter:
    return BerkeleyWriter("hash", path, context, options, create, mode)


def btree_writer(path: str, context: Any, options: TableOptions, create: bool, mode: int = 0o644) -> BerkeleyWriter:
    return BerkeleyWriter("btree", path, context, options, create, mode)


@implementer(ITableWriter)
class BerkeleyWriter:
    """Collects all entries and writes a new ``path.db`` at ``close``."""

    def __init__(self, type: str, path: str, context: Any, options: TableOptions, create: bool, mode: int) -> None:
        self._db = _library()
        if self._db is None:
            raise ConfigError(f"lookup table type {type} {_MISSING}", _INSTALL)
        self._path = path + _SUFFIX
        self.name = self._path
        self._type = self._db.DB_HASH if type == "hash" else self._db.DB_BTREE
        self._mode = mode
        self._cache = context.settings.berkeley_db_create_buffer_size
        self._ending = b"" if options.nul is False else b"\0"
        self._replace = options.duplicates == "replace"
        self._entries: dict[bytes, bytes] = {}
        self._create = create
        self._existed = os.path.exists(self._path)
        if not create and self._existed:
            self._entries = dict(_Contents(self._path, context, self._db).current())

    def add(self, key: str, value: str, bare: bool = False) -> bool:
        ending = b"" if bare else self._ending
        data = octets(key) + ending
        if not self._replace and data in self._entries:
            return False
        self._entries[data] = octets(value) + ending
        return True

    def delete(self, key: str) -> bool:
        if not self._existed and not self._create:
            raise ConfigError(f"open database {self._path}: No such file or directory")
        found = [data for ending in (b"\0", b"") if (data := octets(key) + ending) in self._entries]
        for data in found:
            del self._entries[data]
        return bool(found)

    def close(self) -> None:
        temporary = f"{self._path}.tmp"
        try:
            if os.path.exists(temporary):
                os.unlink(temporary)
            database = self._db.DB()
            database.set_cachesize(0, self._cache)
            database.open(temporary, dbtype=self._type, flags=self._db.DB_CREATE, mode=self._mode)
            for key, value in self._entries.items():
                database.put(key, value)
            database.sync()
            database.close()
            os.rename(temporary, self._path)
        except OSError as error:
            raise ConfigError(f"create database {temporary}: {error.strerror}") from error
        except self._db.DBError as error:
            raise ConfigError(f"create database {temporary}: {error}") from error

    def abort(self) -> None:
        self._entries.clear()
