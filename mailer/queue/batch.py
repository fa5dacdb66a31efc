"""Jobs for the writer thread, and how a batch of them becomes one transaction.

Statements take many rows at once (``VALUES (...),(...)``, ``IN (?,?)``) in a few fixed sizes: each statement that runs gives
up the interpreter lock once, and one that waits to get it back beside a busy reactor is what costs time here, not SQLite.
Order within a transaction: new messages, moves, recipients' fates, deferrals, removals, calls. What was recorded of a message
that is removed in the same batch is never written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from mailer.message.codec import dump_outcome
from mailer.message.status import Fate, Outcome
from mailer.queue.schema import Progress, State

__all__ = ["Batch", "Call", "Defer", "Insert", "Move", "Notes", "Record", "Remove", "execute_many", "remove_messages"]

_SIZES = (64, 16, 4, 1)
_PROGRESS = {Fate.BOUNCED: Progress.BOUNCED, Fate.DEFERRED: Progress.DEFERRED}


class Insert:
    """A new message: ``row`` as INSERT_COLUMNS has it, ``data`` (None: in a file), ``blocks`` of further recipients.

    ``done`` is the reactor side's own; ``error`` is set when the message could not be stored.
    """

    __slots__ = ("blocks", "data", "done", "error", "row")

    def __init__(self, row: tuple[Any, ...], data: bytes | None, blocks: Sequence[tuple[int, int, str]], done: Any):
        self.row = row
        self.data = data
        self.blocks = blocks
        self.done = done
        self.error: BaseException | None = None

    def enter(self, batch: Batch) -> None:
        batch.inserts.append(self)


class Record:
    """Recipients' fates."""

    __slots__ = ("message", "outcomes")

    def __init__(self, message: int, outcomes: Iterable[tuple[int, Outcome]]) -> None:
        self.message = message
        self.outcomes = dict(outcomes)

    def enter(self, batch: Batch) -> None:
        batch.noted.append(self)
        batch.records.setdefault(self.message, {}).update(self.outcomes)


class Defer:
    """The consumer lets go of an active message until ``next_attempt``."""

    __slots__ = ("message", "next_attempt", "set_flags")

    def __init__(self, message: int, next_attempt: float, set_flags: int) -> None:
        self.message = message
        self.next_attempt = next_attempt
        self.set_flags = set_flags

    def enter(self, batch: Batch) -> None:
        batch.noted.append(self)
        batch.defers.append((self.next_attempt, self.set_flags, self.message))
        batch.deferred.append(self.message)


class Move:
    """From one state to another, if it is still in the first."""

    __slots__ = ("message", "now", "was")

    def __init__(self, message: int, was: State, now: State) -> None:
        self.message = message
        self.was = was
        self.now = now

    def enter(self, batch: Batch) -> None:
        batch.noted.append(self)
        batch.moves.append((int(self.now), self.message, int(self.was)))


class Notes:
    """Several jobs at once."""

    __slots__ = ("jobs",)

    def __init__(self, jobs: list[Any]) -> None:
        self.jobs = jobs

    def enter(self, batch: Batch) -> None:
        for job in self.jobs:
            job.enter(batch)


class Remove:
    """The message is finished; ``file`` is its queue id if its content lies in a file, else ""."""

    __slots__ = ("file", "message")

    def __init__(self, message: int, file: str) -> None:
        self.message = message
        self.file = file

    def enter(self, batch: Batch) -> None:
        batch.noted.append(self)
        batch.removals.append(self.message)
        if self.file:
            batch.files.append(self.file)


class Call:
    """Anything else: ``function(connection)`` runs in the transaction; its result or error is the call's own affair."""

    __slots__ = ("done", "error", "function", "result")

    def __init__(self, function: Callable[[sqlite3.Connection], Any], done: Any) -> None:
        self.function = function
        self.done = done
        self.result: Any = None
        self.error: BaseException | None = None

    def enter(self, batch: Batch) -> None:
        batch.calls.append(self)


class Batch:
    """What one transaction does."""

    def __init__(self) -> None:
        self.noted: list[Any] = []  # the jobs that the next six were made of
        self.records: dict[int, dict[int, Outcome]] = {}
        self.defers: list[tuple[float, int, int]] = []
        self.deferred: list[int] = []
        self.moves: list[tuple[int, int, int]] = []
        self.removals: list[int] = []
        self.files: list[str] = []  # queue ids whose content files go once the removal is durable
        self.inserts: list[Insert] = []
        self.calls: list[Call] = []

    def __bool__(self) -> bool:
        return bool(self.inserts or self.noted or self.calls)

    @property
    def durable(self) -> bool:
        """Whether the commit must be on the disk when it returns. A lost removal or record is only a repeated delivery;
        but a file may go only after its row is gone for good."""
        return bool(self.inserts or self.files)

    @property
    def alone(self) -> bool:
        """Whether it is a single statement, which needs no transaction around it."""
        inserts = self.inserts
        return len(inserts) == 1 and not (inserts[0].blocks or self.noted or self.calls)

    def notes(self) -> Batch:
        """The same without inserts and calls: what has to be written sooner or later, whatever becomes of this batch."""
        return _batch(self.noted)

    def single_notes(self) -> Iterator[Batch]:
        """The same notes in as many batches."""
        return (_batch([job]) for job in self.noted)

    def drop_notes(self) -> None:
        """Forget what ``notes`` has taken over."""
        self.noted, self.records, self.defers, self.deferred = [], {}, [], []
        self.moves, self.removals, self.files = [], [], []

    def write(self, connection: sqlite3.Connection) -> None:
        """Run the statements, calls excepted. :raise sqlite3.Error:"""
        if self.inserts:
            _insert(connection, self.inserts)
        if self.moves:
            connection.executemany("UPDATE message SET state = ? WHERE id = ? AND state = ?", self.moves)
        for message in self.removals:
            self.records.pop(message, None)
        if self.records:
            _record(connection, self.records)
        if self.defers:
            _defer(connection, self.defers, self.deferred)
        if self.removals:
            remove_messages(connection, self.removals)

    def call(self, connection: sqlite3.Connection) -> None:
        """Run the calls, each in a savepoint: one that fails leaves nothing, and the others alone."""
        for call in self.calls:
            connection.execute("SAVEPOINT call")
            try:
                call.result = call.function(connection)
            except Exception as error:
                call.error = error
                connection.execute("ROLLBACK TO call")
            connection.execute("RELEASE call")


def _batch(notes: list[Any]) -> Batch:
    batch = Batch()
    for job in notes:
        job.enter(batch)
    return batch


def execute_many(connection: sqlite3.Connection, statement: str, row: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run ``statement`` with its ``%s`` replaced by as many copies of ``row`` as a piece of ``rows`` has members."""
    start, count = 0, len(rows)
    for size in _SIZES:
        while count - start >= size:
            piece = rows[start : start + size]
            start += size
            connection.execute(statement % ",".join((row,) * size), [value for values in piece for value in values])


def _insert(connection: sqlite3.Connection, inserts: list[Insert]) -> None:
    execute_many(
        connection,
        "INSERT INTO arrival (id, queue_id, state, arrival, flags, size, octets, recipients, envelope, first, data)"
        " VALUES %s",
        "(?,?,?,?,?,?,?,?,?,?,?)",
        [(*insert.row, insert.data) for insert in inserts],
    )
    blocks = [block for insert in inserts for block in insert.blocks]
    execute_many(connection, "INSERT INTO block (message, first, recipients) VALUES %s", "(?,?,?)", blocks)


def _record(connection: sqlite3.Connection, records: dict[int, dict[int, Outcome]]) -> None:
    rows = []
    for message, outcomes in records.items():
        for recipient, outcome in outcomes.items():
            progress = _PROGRESS.get(outcome.fate, Progress.DONE)
            text = dump_outcome(outcome) if progress is not Progress.DONE else None
            rows.append((message, recipient, int(progress), text))
    statement = "INSERT OR REPLACE INTO status (message, recipient, progress, outcome) VALUES %s"
    execute_many(connection, statement, "(?,?,?,?)", rows)


def _defer(connection: sqlite3.Connection, defers: list[tuple[float, int, int]], messages: list[int]) -> None:
    connection.executemany(
        f"UPDATE message SET next_attempt = ?, attempts = attempts + 1, flags = flags | ?,"
        f" state = CASE state WHEN {State.ACTIVE:d} THEN {State.DEFERRED:d} ELSE state END WHERE id = ?",
        defers,
    )
    statement = (
        f"UPDATE status SET progress = {Progress.DONE:d}, outcome = NULL WHERE progress = {Progress.BOUNCED:d}"
        " AND message IN (%s)"
    )
    execute_many(connection, statement, "?", [(message,) for message in messages])


def remove_messages(connection: sqlite3.Connection, messages: list[int]) -> None:
    """Delete rows, contents, recipients and their status."""
    rows = [(message,) for message in messages]
    for table, column in (("message", "id"), ("content", "id"), ("status", "message"), ("block", "message")):
        execute_many(connection, f"DELETE FROM {table} WHERE {column} IN (%s)", "?", rows)
