"""``lmdb:/file``: LMDB files (lmdb_table(5)), shared with Postfix's own programs.

Postfix guards its LMDB files with fcntl(2) locks in place of LMDB's own lock files, and so does this module: a shared lock
around each lookup, an exclusive one around a whole update. A lookup maps pages that are in memory already and copies one
value, so it happens in the reactor's thread; only while somebody writes (postmap holds its lock for the whole update) does
it wait, in short steps.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from typing import Any

import lmdb
from twisted.internet.task import deferLater
from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.table import IListedTable, ITableWriter, TableOptions
from mailer.message.status import TemporaryError
from mailer.tables.base import FixedTable
from mailer.tables.text import octets, string

__all__ = ["LmdbTable", "LmdbWriter"]

#: Seconds between two looks at whether the file has been replaced by another one.
INTERVAL = 1.0
#: Seconds between two attempts to get the lock while somebody writes, and how long that may go on.
_STEP = 0.01
_PATIENCE = 30.0
_SUFFIX = ".lmdb"
_LONGEST_KEY = 511


def _reason(error: lmdb.Error) -> str:
    """The library's words, without the name of the function that the Python package puts before them."""
    text = str(error)
    return text.partition(": ")[2] if text.startswith("mdb_") else text


class _File:
    """One open LMDB file. LMDB allows a process one environment for a file, so all tables of a process share it.

    The library keeps an ended read transaction and renews it for the next lookup, which costs next to nothing.
    """

    _open: dict[tuple[int, int], _File] = {}

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.fstat(self.descriptor)
            self.identity = (status.st_dev, status.st_ino)
            self.users = 0
            # Through /proc or /dev/fd the name could not have been given to another file meanwhile, but neither exists
            # everywhere; a file replaced just now is noticed at the next look.
            self.environment = lmdb.open(path, subdir=False, readonly=True, lock=False, max_dbs=0)
        except BaseException:
            os.close(self.descriptor)
            raise

    @classmethod
    def acquire(cls, path: str) -> _File:
        """:raise OSError, lmdb.Error:"""
        status = os.stat(path)
        file = cls._open.get((status.st_dev, status.st_ino))
        if file is None:
            file = cls(path)
            cls._open[file.identity] = file
        file.users += 1
        return file

    def release(self) -> None:
        self.users -= 1
        if not self.users:
            del self._open[self.identity]
            self.environment.close()
            os.close(self.descriptor)

    def lock(self) -> bool:
        """Whether the shared lock could be had."""
        try:
            fcntl.lockf(self.descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def unlock(self) -> None:
        fcntl.lockf(self.descriptor, fcntl.LOCK_UN)

    def begin(self) -> Any:
        """A transaction on the newest version of the file; ``abort`` it soon."""
        try:
            return self.environment.begin()
        except lmdb.MapResizedError:
            self.environment.set_mapsize(0)  # another process has let the file grow
            return self.environment.begin()


@implementer(IListedTable)
class LmdbTable(FixedTable):
    """Reads ``argument.lmdb``, with or without NUL behind keys and values, whichever is there."""

    type = "lmdb"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        self._path = argument + _SUFFIX
        self._reactor = context.reactor
        try:
            self._file = _File.acquire(self._path)
        except OSError as error:
            raise ConfigError(f"open database {self._path}: {error.strerror}") from error
        except lmdb.Error as error:
            raise ConfigError(f"open database {self._path}: {_reason(error)}") from error
        self._due = self._reactor.seconds() + INTERVAL
        self._complained = ""
        nul = self.options.nul
        self._endings = (b"\0", b"") if nul is None else (b"\0",) if nul else (b"",)

    async def lookup(self, key: str) -> str | None:
        if key.isascii():
            data = (key.lower() if self.options.fold else key).encode()
        elif self.acceptable(key):
            data = octets(self.folded(key))
        else:
            return None
        if self._reactor.seconds() >= self._due:
            self._look()
        if not self._file.lock():
            await self._locked()
        value = self._get(data)
        if value is None:
            return None
        text = string(value[:-1] if value[-1:] == b"\0" else value)
        return text if text.isascii() else self.checked(key, text)

    def _get(self, data: bytes) -> bytes | None:
        """The value, with the lock held; gives the lock back."""
        file = self._file
        try:
            if not 0 < len(data) <= _LONGEST_KEY:
                return None
            transaction = file.begin()
            try:
                for ending in self._endings:
                    value: bytes | None = transaction.get(data + ending)
                    if value is not None:
                        return value
                return None
            finally:
                transaction.abort()
        except lmdb.Error as error:
            self.log.warning(f"error reading {self.name}: {_reason(error)}")
            raise TemporaryError(f"error reading {self.name}: {_reason(error)}") from error
        finally:
            file.unlock()

    async def _locked(self) -> None:
        """Wait for a writer to finish."""
        give_up = self._reactor.seconds() + _PATIENCE
        while not self._file.lock():
            if self._reactor.seconds() >= give_up:
                raise TemporaryError(f"{self.name} is being updated")
            await deferLater(self._reactor, _STEP)

    def _look(self) -> None:
        """Take up another file of that name; while there is none, or a broken one, go on with the old one."""
        self._due = self._reactor.seconds() + INTERVAL
        try:
            status = os.stat(self._path)
            if (status.st_dev, status.st_ino) == self._file.identity:
                return
            new = _File.acquire(self._path)
        except (OSError, lmdb.Error) as error:
            reason = (isinstance(error, OSError) and error.strerror) or str(error)
            if reason != self._complained:
                self._complained = reason
                self.log.warning(f"{self._path} has changed and cannot be read, going on with what it was: {reason}")
            return
        self._complained = ""
        old, self._file = self._file, new
        old.release()

    def items(self) -> Iterator[tuple[str, str]]:
        fcntl.lockf(self._file.descriptor, fcntl.LOCK_SH)
        try:
            transaction = self._file.begin()
            try:
                for key, value in transaction.cursor():
                    yield string(key.removesuffix(b"\0")), string(value.removesuffix(b"\0"))
            finally:
                transaction.abort()
        finally:
            self._file.unlock()

    def close(self) -> None:
        self._file.release()


@implementer(ITableWriter)
class LmdbWriter:
    """One transaction on ``path.lmdb``; the exclusive lock is held until its end. May block: for commands only."""

    def __init__(self, path: str, context: Any, options: TableOptions, create: bool, mode: int = 0o644) -> None:
        self.name = f"lmdb:{path}"
        self._path = path + _SUFFIX
        self._ending = b"" if options.nul is False else b"\0"
        self._replace = options.duplicates == "replace"
        self._changes: list[tuple[bytes, bytes | None]] = []
        self._create = create
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        except OSError as error:
            raise ConfigError(f"open database {self._path}: {error.strerror}") from error
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        self._size = max(context.settings.lmdb_map_size, 2 * os.fstat(self._descriptor).st_size)
        try:
            self._environment = lmdb.open(
                self._path, subdir=False, lock=False, max_dbs=0, map_size=self._size, mode=mode, readahead=False
            )
            self._begin()
        except lmdb.Error as error:
            os.close(self._descriptor)
            raise ConfigError(f"open database {self._path}: {_reason(error)}") from error

    def _begin(self) -> None:
        self._transaction = self._environment.begin(write=True)
        if self._create:
            self._transaction.drop(self._environment.open_db(None, self._transaction), delete=False)

    def add(self, key: str, value: str, bare: bool = False) -> bool:
        ending = b"" if bare else self._ending
        data = octets(key) + ending
        try:
            if not self._replace and self._transaction.get(data) is not None:
                return False
            self._change(data, octets(value) + ending)
        except lmdb.BadValsizeError as error:
            raise ConfigError(f"error updating {self.name}: {_reason(error)}") from error
        return True

    def delete(self, key: str) -> bool:
        found = False
        for ending in (b"\0", b""):
            data = octets(key) + ending
            if 0 < len(data) <= _LONGEST_KEY and self._transaction.get(data) is not None:
                self._change(data, None)
                found = True
        return found

    def _change(self, key: bytes, value: bytes | None) -> None:
        self._changes.append((key, value))
        try:
            self._apply(key, value)
        except lmdb.MapFullError:
            self._grow()

    def _apply(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._transaction.delete(key)
        else:
            self._transaction.put(key, value)

    def _grow(self) -> None:
        """The file may be no bigger than it said it would; say twice as much and do everything again."""
        while True:
            self._transaction.abort()
            self._size *= 2
            self._environment.set_mapsize(self._size)
            self._begin()
            try:
                for key, value in self._changes:
                    self._apply(key, value)
            except lmdb.MapFullError:
                continue
            return

    def close(self) -> None:
        while True:
            try:
                self._transaction.commit()
                break
            except lmdb.MapFullError:
                self._grow()
        self._end()

    def abort(self) -> None:
        self._transaction.abort()
        self._end()

    def _end(self) -> None:
        self._environment.close()
        os.close(self._descriptor)
