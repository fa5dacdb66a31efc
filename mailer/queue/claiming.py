"""Taking up messages: marked ``active`` by the writer, then loaded beside it; what cannot be read becomes ``corrupt``."""

from __future__ import annotations

import sqlite3
from collections.abc import Container
from dataclasses import dataclass, field

from mailer.queue.batch import execute_many
from mailer.queue.layout import Layout
from mailer.queue.reading import Stored, Unreadable, load
from mailer.queue.schema import State

__all__ = ["Loaded", "load_all", "mark_active", "mark_corrupt"]


def mark_active(
    connection: sqlite3.Connection, now: float, limit: int, deferred: bool, incoming: bool, spared: Container[int]
) -> list[tuple[int, State]]:
    """Mark up to ``limit`` waiting messages, incoming ones first, then due ones.

    :param spared: rows to leave alone: the consumer has not let go of them yet.
    :return: ``(row, state before)`` in order.
    """
    marked: list[tuple[int, State]] = []
    if incoming:
        rows = connection.execute(f"SELECT id FROM message WHERE state = {State.INCOMING:d} ORDER BY id")
        _take(marked, rows, State.INCOMING, limit, spared)
    if deferred and len(marked) < limit:
        rows = connection.execute(
            f"SELECT id FROM message WHERE state = {State.DEFERRED:d} AND next_attempt <= ? ORDER BY next_attempt, id",
            (now,),
        )
        _take(marked, rows, State.DEFERRED, limit, spared)
    statement = f"UPDATE message SET state = {State.ACTIVE:d} WHERE id IN (%s)"
    execute_many(connection, statement, "?", [(number,) for number, _ in marked])
    return marked


def _take(
    marked: list[tuple[int, State]], rows: sqlite3.Cursor, state: State, limit: int, spared: Container[int]
) -> None:
    for (number,) in rows:
        if len(marked) >= limit:
            break
        if number not in spared:
            marked.append((number, state))
    rows.close()


@dataclass
class Loaded:
    """Messages that can be read, and rows (with the reason) of those that cannot."""

    messages: list[Stored] = field(default_factory=list)
    damaged: list[tuple[int, str]] = field(default_factory=list)


def load_all(connection: sqlite3.Connection, layout: Layout, numbers: list[int], portion: int, budget: int) -> Loaded:
    """Load what is still there, with inline content as long as ``budget`` octets last.

    :raise sqlite3.OperationalError: the database cannot be read now; a damaged page condemns only its message.
    """
    loaded = Loaded()
    for number in numbers:
        try:
            stored = load(connection, layout, number, portion, budget > 0)
        except sqlite3.OperationalError:
            raise
        except (Unreadable, sqlite3.DatabaseError) as error:
            loaded.damaged.append((number, str(error)))
            continue
        if stored is not None:
            budget -= len(stored.data or b"")
            loaded.messages.append(stored)
    return loaded


def mark_corrupt(connection: sqlite3.Connection, number: int) -> str:
    """Set a damaged message aside. :return: its queue id, or its row if that cannot be read either."""
    connection.execute("UPDATE message SET state = ? WHERE id = ?", (State.CORRUPT, number))
    row = connection.execute("SELECT queue_id FROM message WHERE id = ?", (number,)).fetchone()
    return str(row[0]) if row else f"row {number}"
