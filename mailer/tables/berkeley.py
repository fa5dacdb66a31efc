"""``hash:/file`` and ``btree:/file``: Berkeley DB files that postmap makes (DATABASE_README, DB_README).

No library is needed: ``mailer.tables.bdb`` reads and writes the files. One is read into memory as a whole, under the lock
that Postfix's postmap holds while it writes, because its pages may change at any time; a changed file is read again. A new
file is written beside its final name and renamed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from typing import Any

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.table import IListedTable, ITableWriter, TableOptions
from mailer.tables.base import FixedTable
from mailer.tables.bdb.hashfile import hash_image
from mailer.tables.bdb.read import entries
from mailer.tables.bdb.treefile import tree_image
from mailer.tables.replacing import replace_file
from mailer.tables.text import octets, string
from mailer.tables.watched import Watched, signature

__all__ = ["BerkeleyTable", "BerkeleyWriter", "btree_table", "btree_writer", "hash_table", "hash_writer"]

_SUFFIX = ".db"


def hash_table(argument: str, context: Any) -> BerkeleyTable:
    return BerkeleyTable("hash", argument, context)


def btree_table(argument: str, context: Any) -> BerkeleyTable:
    return BerkeleyTable("btree", argument, context)


def _unused(text: str, warn: Callable[[str], None]) -> dict[bytes, bytes]:
    raise NotImplementedError


def _parsed(data: bytes, path: str) -> dict[bytes, bytes]:
    """Of a key that is there twice, which postmap never makes, the first value counts."""
    found: dict[bytes, bytes] = {}
    try:
        for key, value in entries(data):
            found.setdefault(key, value)
    except ValueError as error:
        raise ConfigError(f"open database {path}: {error}") from error
    return found


class _Contents(Watched[dict[bytes, bytes]]):
    """All entries of a Berkeley DB file. At start a postmap at work is waited for; later the old entries serve until it has
    finished."""

    def __init__(self, path: str, context: Any) -> None:
        self._lock = fcntl.LOCK_SH
        super().__init__(path, context, _unused, "open database")
        self._lock |= fcntl.LOCK_NB

    def _read(self) -> tuple[tuple[int, ...], dict[bytes, bytes], list[str]]:
        with open(self._path, "rb") as file:
            fcntl.flock(file.fileno(), self._lock)
            status = os.fstat(file.fileno())
            data = file.read()
        return signature(status), _parsed(data, self._path), []


@implementer(IListedTable)
class BerkeleyTable(FixedTable):
    """Reads ``argument.db``, with or without NUL behind keys and values. The file says whether it is a hash or a tree."""

    def __init__(self, type: str, argument: str, context: Any) -> None:
        self.type = type
        super().__init__(argument, context)
        self.shown = self.name + _SUFFIX
        self._file = _Contents(argument + _SUFFIX, context)
        nul = self.options.nul
        self._endings = (b"\0", b"") if nul is None else (b"\0",) if nul else (b"",)

    def find(self, key: str) -> str | None:
        data = octets(key)
        found = self._file.current()
        for ending in self._endings:
            value = found.get(data + ending)
            if value is not None:
                return self.checked(key, string(value.removesuffix(b"\0")))
        return None

    def items(self) -> Iterator[tuple[str, str]]:
        for key, value in self._file.current().items():
            yield string(key.removesuffix(b"\0")), string(value.removesuffix(b"\0"))


def hash_writer(path: str, context: Any, options: TableOptions, create: bool, mode: int = 0o644) -> BerkeleyWriter:
    return BerkeleyWriter(hash_image, path, options, create, mode)


def btree_writer(path: str, context: Any, options: TableOptions, create: bool, mode: int = 0o644) -> BerkeleyWriter:
    return BerkeleyWriter(tree_image, path, options, create, mode)


@implementer(ITableWriter)
class BerkeleyWriter:
    """Collects all entries and writes a new ``path.db`` at ``close``. Until then an existing file is locked, so that nothing
    which another postmap adds meanwhile gets lost."""

    def __init__(
        self,
        image: Callable[[dict[bytes, bytes]], list[bytes]],
        path: str,
        options: TableOptions,
        create: bool,
        mode: int,
    ) -> None:
        self._image = image
        self._path = path + _SUFFIX
        self.name = self._path
        self._mode = mode
        self._ending = b"" if options.nul is False else b"\0"
        self._replace = options.duplicates == "replace"
        self._entries: dict[bytes, bytes] = {}
        self._create = create
        try:
            self._locked = self._lock()
        except OSError as error:
            raise ConfigError(f"open database {self._path}: {error.strerror}") from error
        if self._locked is not None and not create:
            with open(self._locked, "rb", closefd=False) as file:
                self._entries = _parsed(file.read(), self._path)

    def _lock(self) -> int | None:
        """A locked descriptor of the existing file; None if there is none."""
        while True:
            try:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                if os.path.samestat(os.fstat(descriptor), os.stat(self._path)):
                    return descriptor
            except FileNotFoundError:
                pass
            os.close(descriptor)  # somebody has replaced it meanwhile

    def _unlock(self) -> None:
        if self._locked is not None:
            os.close(self._locked)
            self._locked = None

    def add(self, key: str, value: str, bare: bool = False) -> bool:
        ending = b"" if bare else self._ending
        data = octets(key) + ending
        if not self._replace and data in self._entries:
            return False
        self._entries[data] = octets(value) + ending
        return True

    def delete(self, key: str) -> bool:
        if self._locked is None and not self._create:
            raise ConfigError(f"open database {self._path}: No such file or directory")
        found = [data for ending in (b"\0", b"") if (data := octets(key) + ending) in self._entries]
        for data in found:
            del self._entries[data]
        return bool(found)

    def close(self) -> None:
        try:
            replace_file(self._path, self._image(self._entries), self._mode, self._locked)
        except OSError as error:
            raise ConfigError(f"create database {self._path}: {error.strerror}") from error
        finally:
            self._unlock()

    def abort(self) -> None:
        self._entries.clear()
        self._unlock()
