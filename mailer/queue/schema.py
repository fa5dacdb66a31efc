"""The store's tables, and how a connection to them is opened.

One row in ``message`` for each message; its content apart from it in ``content`` (or in a file, flag FILE), so that listing
and deferring never touch content. The first 100 recipients stand in the message's row, further ones in ``block`` rows of
100; a recipient's id is its place, from 1. A ``status`` row appears only when something is known of a recipient: DONE
(outcome forgotten), BOUNCED (its bounce is owed) or DEFERRED. ``request`` rows tell a running server what a tool has
changed. There is no index on queue_id: a server knows the row numbers of what it handles, and a tool's scan of 100,000 small
rows takes 20 ms, which is less than what the index would cost 100,000 messages.

Row numbers are given out by the server alone, ascending, never twice within one run; tools insert no messages.
"""

from __future__ import annotations

import sqlite3
from enum import IntEnum

from mailer.config.errors import ConfigError

__all__ = ["BLOCK", "Flag", "Progress", "SchemaError", "State", "connect", "prepare", "prepare_arrivals"]

#: Recipients in one block.
BLOCK = 100

VERSION = 1
_APPLICATION = 0x6D61696C  # "mail"
_PAGE = 8192  # of 1 to 32 KiB the cheapest for messages of 4 KiB in batches; equal to 4 KiB one by one
_BUSY_SECONDS = 10.0


class State(IntEnum):
    """``maildrop`` is a message that waits to be sent through cleaning again (postsuper -r)."""

    INCOMING = 0
    ACTIVE = 1
    DEFERRED = 2
    HOLD = 3
    CORRUPT = 4
    MAILDROP = 5

    @property
    def word(self) -> str:
        return self.name.lower()


class Flag(IntEnum):
    WARNED = 1
    EXPIRED = 2
    FILE = 4


class Progress(IntEnum):
    """What a ``status`` row says; a recipient without one is pending and has not failed yet."""

    DONE = 0
    BOUNCED = 1
    DEFERRED = 2


class SchemaError(ConfigError):
    """The store was written by a later version, is no store at all, or is damaged as a whole."""


_TABLES = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    queue_id TEXT NOT NULL,
    state INTEGER NOT NULL,
    arrival REAL NOT NULL,
    next_attempt REAL NOT NULL,
    attempts INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    size INTEGER NOT NULL,
    octets INTEGER NOT NULL,
    recipients INTEGER NOT NULL,
    envelope TEXT NOT NULL,
    first TEXT NOT NULL
);
CREATE INDEX message_incoming ON message (state) WHERE state = 0;
CREATE INDEX message_due ON message (next_attempt) WHERE state = 2;
CREATE TABLE content (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE block (
    message INTEGER NOT NULL, first INTEGER NOT NULL, recipients TEXT NOT NULL,
    PRIMARY KEY (message, first)
) WITHOUT ROWID;
CREATE TABLE status (
    message INTEGER NOT NULL, recipient INTEGER NOT NULL, progress INTEGER NOT NULL, outcome TEXT,
    PRIMARY KEY (message, recipient)
) WITHOUT ROWID;
CREATE TABLE request (id INTEGER PRIMARY KEY, verb TEXT NOT NULL, message INTEGER NOT NULL, queue_id TEXT NOT NULL);
"""

_ARRIVALS = """
CREATE TEMP VIEW arrival AS
    SELECT message.id, queue_id, state, arrival, flags, size, octets, recipients, envelope, first, data
    FROM main.message LEFT JOIN main.content USING (id)
"""
_ARRIVE = """
CREATE TEMP TRIGGER arrive INSTEAD OF INSERT ON arrival BEGIN
    INSERT INTO message VALUES (
        NEW.id, NEW.queue_id, NEW.state, NEW.arrival, 0, 0, NEW.flags, NEW.size, NEW.octets, NEW.recipients,
        NEW.envelope, NEW.first
    );
    INSERT INTO content SELECT NEW.id, NEW.data WHERE NEW.data IS NOT NULL;
END
"""


def connect(path: str, readonly: bool = False) -> sqlite3.Connection:
    """Open a database that exists (or, unless ``readonly``, make an empty one). The connection may change threads.

    Transactions are the caller's to begin and end. :raise sqlite3.Error:
    """
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        if readonly:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute(f"PRAGMA page_size = {_PAGE}")  # counts only while the file is empty
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
            connection.execute("PRAGMA journal_size_limit = 67108864")
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection, create: bool = True) -> None:
    """Check the schema's version; make the tables in an empty database (if ``create``).

    :raise SchemaError: this version cannot use the store. :raise sqlite3.Error:
    """
    connection.execute("BEGIN IMMEDIATE" if create else "BEGIN")
    try:
        _prepare(connection, create)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def prepare_arrivals(connection: sqlite3.Connection) -> None:
    """Make ``arrival``, a view of this connection alone: one row into it is a message with its content.

    One statement instead of two, and for a message that comes alone instead of four: it is a transaction of its own. Each
    statement gives up the interpreter lock and has to get it back from a busy reactor, which costs more than what it does.
    """
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(_ARRIVALS)
    connection.execute(_ARRIVE)


def _prepare(connection: sqlite3.Connection, create: bool) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables and not version and create:
        for statement in filter(str.strip, _TABLES.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    elif application != _APPLICATION:
        raise SchemaError("the database is not a mail queue")
    elif version != VERSION:
        raise SchemaError(f"the mail queue has format {version}; this version of mailer knows format {VERSION} only")
