"""Opening the store at start: who owns it, what a crash left, where row numbers go on. Blocks; runs in a thread.

After a crash: messages that were ``active`` become ``incoming``; rows of recipients or contents whose message is gone are
removed (a tool may have deleted a message that a server was still recording); requests that tools left for the crashed server
are void, since their effect stands in the rows; content files without a row are removed (mailer.queue.spool). A file that
is big and nearly empty is written anew.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from dataclasses import dataclass

from mailer.config.errors import ConfigError
from mailer.queue.disk import Disk
from mailer.queue.layout import Layout, count_postfix_mail
from mailer.queue.schema import Flag, SchemaError, State, connect, prepare, prepare_arrivals
from mailer.queue.spool import Spool, tidy

__all__ = ["Opened", "QueueInUse", "is_running", "open_store", "tidy_contents"]

_LOCK_TRIES = 20
_LOCK_PAUSE = 0.1
_SHRINK_OVER = 64 * 1024 * 1024
_SHRINK_SHARE = 0.9


class QueueInUse(ConfigError):
    """Another server owns the store."""


@dataclass
class Opened:
    """What the server starts with. ``number`` is the next row number; ``lock`` the descriptor that holds the lock."""

    connection: sqlite3.Connection
    lock: int
    number: int
    postfix_mail: int


def open_store(layout: Layout, disk: Disk) -> Opened:
    """:raise QueueInUse: :raise SchemaError: it cannot be used. :raise OSError:"""
    layout.create()
    lock = _take_lock(layout.lock)
    try:
        # SQLite gives its other files the mode of this one.
        os.close(os.open(layout.database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = connect(layout.database)
        try:
            prepare(connection)
            disk.sync_directory(layout.root)
            disk.sync_directory(layout.queue_directory)
            return _recover(layout, connection, lock)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        os.close(lock)
        raise SchemaError(f"mail queue {layout.database}: {error}") from error
    except BaseException:
        os.close(lock)
        raise


def _take_lock(path: str) -> int:
    """A tool that asks ``is_running`` holds the lock for a moment, so try for two seconds."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE)
    os.close(descriptor)
    raise QueueInUse(f"another mail system is running on this queue ({path} is locked)")


def is_running(layout: Layout) -> bool:
    """Whether a server owns the store now. :raise OSError: (PermissionError in particular) that cannot be told."""
    try:
        descriptor = os.open(layout.lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _recover(layout: Layout, connection: sqlite3.Connection, lock: int) -> Opened:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(f"UPDATE message SET state = {State.INCOMING:d} WHERE state = {State.ACTIVE:d}")
        connection.execute("DELETE FROM request")
        for table, column in (("content", "id"), ("status", "message"), ("block", "message")):
            connection.execute(f"DELETE FROM {table} WHERE {column} NOT IN (SELECT id FROM message)")
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    _shrink(connection)
    prepare_arrivals(connection)
    return Opened(connection, lock, last + 1, count_postfix_mail(layout.queue_directory))


def _shrink(connection: sqlite3.Connection) -> None:
    """Give back what a past flood has left: the file never shrinks by itself. Cheap, since only live pages are copied."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (octets,) = connection.execute("PRAGMA page_size").fetchone()
    if pages * octets > _SHRINK_OVER and free > _SHRINK_SHARE * pages:
        connection.execute("VACUUM")


def tidy_contents(connection: sqlite3.Connection, layout: Layout, disk: Disk, spool: Spool | None = None) -> int:
    """Remove content files without a row. :return: how many. :raise OSError: :raise sqlite3.Error:

    :param spool: the server's, which knows what is on its way.
    """

    rows = connection.execute(f"SELECT queue_id FROM message WHERE flags & {Flag.FILE:d}")
    known = {queue_id for (queue_id,) in rows}

    def has_row(queue_id: str) -> bool:
        if spool is not None and queue_id in spool.expected:
            return True
        found = connection.execute(
            f"SELECT 1 FROM message WHERE flags & {Flag.FILE:d} AND queue_id = ?", (queue_id,)
        ).fetchone()
        return found is not None

    return tidy(layout, disk, known, has_row, spool.lock if spool is not None else None)
