"""Every step whose order decides what a crash leaves, in one place.

The crash rules (docs/queue.rst) speak of these steps; tests put a disk in this one's place that fails or stops at each.
All methods block: they are called in the writer thread or in an I/O thread, never in the reactor's.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress

__all__ = ["Disk", "is_same_file"]

_MOST_PIECES = 512  # IOV_MAX is at least 1024 on Linux and the BSDs


def is_same_file(descriptor: int, path: str) -> bool:
    """Whether an open file still bears this name."""
    try:
        named = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    opened = os.fstat(descriptor)
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


class Disk:
    """The real one, for one database connection."""

    def __init__(self) -> None:
        self._durable: bool | None = None

    # -- content files

    def create(self, path: str) -> int:
        """A new file, locked as long as the descriptor stays open: the lock says that its writer is alive.

        Who tidies may find the file before it is locked, and remove it: then it is made once more. Whoever unlinks a
        content file holds its lock, so a name under lock stays what it is.
        """
        while True:
            descriptor = self._open_new_or_in_new_directory(path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if is_same_file(descriptor, path):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _open_new_or_in_new_directory(self, path: str) -> int:
        try:
            return self._open_new(path)
        except FileNotFoundError:
            directory = os.path.dirname(path)
            os.makedirs(directory, 0o700, exist_ok=True)
            self.sync_directory(os.path.dirname(directory))
            return self._open_new(path)

    @staticmethod
    def _open_new(path: str) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, chunks: Sequence[bytes]) -> None:
        """Append all of the chunks."""
        for start in range(0, len(chunks), _MOST_PIECES):
            pieces = chunks[start : start + _MOST_PIECES]
            written = os.writev(descriptor, pieces)
            if written < sum(map(len, pieces)):
                rest = memoryview(b"".join(pieces))[written:]
                while rest:
                    rest = rest[os.write(descriptor, rest) :]

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def sync_directory(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def unlink(self, path: str) -> None:
        """Remove a file; one that has gone already is no error."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return

    # -- the database

    def begin(self, connection: sqlite3.Connection, durable: bool) -> None:
        """:param durable: whether ``commit`` shall return only when everything is on the disk."""
        self._synchronize(connection, durable)
        connection.execute("BEGIN IMMEDIATE")

    def commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")

    def commit_alone(self, connection: sqlite3.Connection, write: Callable[[sqlite3.Connection], None]) -> None:
        """``write`` runs one statement, which is a transaction of its own and on the disk when this returns."""
        self._synchronize(connection, True)
        write(connection)

    def _synchronize(self, connection: sqlite3.Connection, durable: bool) -> None:
        if durable is not self._durable:
            self._durable = None
            connection.execute("PRAGMA synchronous = FULL" if durable else "PRAGMA synchronous = NORMAL")
            self._durable = durable

    def rollback(self, connection: sqlite3.Connection) -> None:
        """After a failure; SQLite has often rolled back already. What it cannot roll back now, the next BEGIN tells."""
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")

    # -- space

    def free(self, path: str) -> int:
        """Octets that an unprivileged user may still write."""
        status = os.statvfs(path)
        return status.f_bavail * status.f_frsize
