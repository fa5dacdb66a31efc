"""Questions to the database: rows back into messages. Functions of a connection; no thread, no reactor.

A message that cannot be read (text that is no JSON, a recipient block or content that is not there) is told apart from a
database that cannot be read now: the first makes the message corrupt, the second raises sqlite3.Error.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mailer.message.codec import load_envelope, load_outcome, load_recipients, outline
from mailer.message.envelope import Envelope, Recipient
from mailer.message.listing import QueueListing
from mailer.message.status import Outcome
from mailer.queue.layout import Layout
from mailer.queue.schema import BLOCK, Flag, Progress, State

__all__ = [
    "LISTED",
    "Stored",
    "Unreadable",
    "content_of",
    "failures",
    "find",
    "list_state",
    "load",
    "load_named",
    "next_attempt",
    "pending_recipients",
]


class Unreadable(Exception):
    """This message's rows (or file) are damaged."""


@dataclass(slots=True)
class Stored:
    """One message as it is stored. ``data`` is its inline content if that was asked for, else None."""

    number: int
    queue_id: str
    state: State
    envelope: Envelope
    recipients: list[Recipient]
    total: int
    done: int
    bounced: int
    next_attempt: float
    attempts: int
    flags: Flag | int
    size: int
    octets: int
    arrival: float
    data: bytes | None = field(repr=False)


#: The order in which a listing shows states.
LISTED = (State.MAILDROP, State.ACTIVE, State.INCOMING, State.DEFERRED, State.HOLD, State.CORRUPT)

_COLUMNS = "id, queue_id, state, arrival, next_attempt, attempts, flags, size, octets, recipients, envelope, first"


def load(connection: sqlite3.Connection, layout: Layout, number: int, portion: int, with_data: bool) -> Stored | None:
    """One message, or None if it has gone.

    :param portion: how many pending recipients to bring along. :raise Unreadable:
    """
    row = connection.execute(f"SELECT {_COLUMNS} FROM message WHERE id = ?", (number,)).fetchone()
    if row is None:
        return None
    _, queue_id, state, arrival, next_attempt, attempts, flags, size, octets, total, envelope, first = row
    done = bounced = 0
    for progress, count in connection.execute(
        f"SELECT progress, count(*) FROM status WHERE message = ? AND progress < {Progress.DEFERRED:d} GROUP BY progress",
        (number,),
    ):
        done += count
        bounced += count if progress == Progress.BOUNCED else 0
    try:
        return Stored(
            number,
            queue_id,
            State(state),
            load_envelope(envelope, arrival),
            _pending(connection, number, first, total, 0, portion, done > 0),
            total,
            done,
            bounced,
            next_attempt,
            attempts,
            flags,
            size,
            octets,
            arrival,
            _data(connection, layout, number, queue_id, flags, octets, with_data),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def load_named(
    connection: sqlite3.Connection, layout: Layout, queue_id: str, portion: int = 0, everyone: bool = False
) -> Stored | None:
    """One message with its inline content, by queue id.

    :param everyone: bring all recipients, those that are done as well. :raise Unreadable:
    """
    for number, _, _ in find(connection, [queue_id]):
        stored = load(connection, layout, number, portion, True)
        if stored is not None and everyone:
            first = connection.execute("SELECT first FROM message WHERE id = ?", (number,)).fetchone()[0]
            stored.recipients = _pending(connection, number, first, stored.total, 0, stored.total, False)
        return stored
    return None


def done_recipients(connection: sqlite3.Connection, number: int) -> set[int]:
    """Ids of recipients that are not pending any more."""
    rows = connection.execute(
        f"SELECT recipient FROM status WHERE message = ? AND progress < {Progress.DEFERRED:d}", (number,)
    )
    return {recipient for (recipient,) in rows}


def find_rows(connection: sqlite3.Connection, numbers: list[int]) -> list[tuple[int, str, State]]:
    """The same as ``find`` for rows; at most a few hundred at once."""
    marks = ",".join("?" * len(numbers))
    rows = connection.execute(f"SELECT id, queue_id, state FROM message WHERE id IN ({marks}) ORDER BY id", numbers)
    return [(number, queue_id, State(state)) for number, queue_id, state in rows]


def with_file(connection: sqlite3.Connection, numbers: list[int]) -> set[int]:
    """Which of these rows have their content in a file; at most a few hundred at once."""
    marks = ",".join("?" * len(numbers))
    rows = connection.execute(f"SELECT id FROM message WHERE flags & {Flag.FILE:d} AND id IN ({marks})", numbers)
    return {number for (number,) in rows}


def _data(
    connection: sqlite3.Connection, layout: Layout, number: int, queue_id: str, flags: int, octets: int, wanted: bool
) -> bytes | None:
    """Inline content if wanted; in any case, that the content is there and whole."""
    if flags & Flag.FILE:
        try:
            found = os.stat(layout.content_file(queue_id)).st_size
        except FileNotFoundError:
            found = -1
        except OSError:
            return None  # the file may be whole: reading it will tell
        if found != octets:
            raise Unreadable(f"content file has {found} octets, not {octets}")
        return None
    what = "data, octet_length" if wanted else "NULL, octet_length"
    row = connection.execute(
        f"SELECT {what} FROM (SELECT data, length(data) AS octet_length FROM content WHERE id = ?)", (number,)
    ).fetchone()
    if row is None or row[1] != octets:
        raise Unreadable("content is missing or cut short")
    data: bytes | None = row[0]
    return data


def _pending(
    connection: sqlite3.Connection, number: int, text: str, total: int, after: int, limit: int, some_done: bool
) -> list[Recipient]:
    """Recipients with ``id > after`` that are not done, at most ``limit``; ``text`` is the first block."""
    found: list[Recipient] = []
    for first in range(after // BLOCK * BLOCK + 1, total + 1, BLOCK):
        block = load_recipients(text if first == 1 else _block(connection, number, first), first)
        done = _done(connection, number, first) if some_done else ()
        found += [recipient for recipient in block if recipient.id > after and recipient.id not in done]
        if len(found) >= limit:
            break
    return found[:limit]


def _block(connection: sqlite3.Connection, number: int, first: int) -> str:
    row = connection.execute("SELECT recipients FROM block WHERE message = ? AND first = ?", (number, first)).fetchone()
    if row is None:
        raise Unreadable(f"recipients from {first} on are missing")
    text: str = row[0]
    return text


def _done(connection: sqlite3.Connection, number: int, first: int) -> set[int]:
    rows = connection.execute(
        "SELECT recipient FROM status WHERE message = ? AND recipient BETWEEN ? AND ?"
        f" AND progress < {Progress.DEFERRED:d}",
        (number, first, first + BLOCK - 1),
    )
    return {recipient for (recipient,) in rows}


def pending_recipients(connection: sqlite3.Connection, number: int, after: int, limit: int) -> list[Recipient]:
    """The next recipients of a message with many; [] when it has gone or cannot be read."""
    row = connection.execute("SELECT first, recipients FROM message WHERE id = ?", (number,)).fetchone()
    if row is None:
        return []
    return _pending(connection, number, row[0], row[1], after, limit, True)


def failures(connection: sqlite3.Connection, number: int) -> list[tuple[Recipient, Outcome]]:
    """Bounced and deferred recipients with their last outcome, by id."""
    row = connection.execute("SELECT first FROM message WHERE id = ?", (number,)).fetchone()
    if row is None:
        return []
    found = []
    first, block = 0, []
    for recipient, outcome in connection.execute(
        f"SELECT recipient, outcome FROM status WHERE message = ? AND progress > {Progress.DONE:d} ORDER BY recipient",
        (number,),
    ).fetchall():
        start = (recipient - 1) // BLOCK * BLOCK + 1
        if start != first:
            first = start
            block = load_recipients(row[0] if start == 1 else _block(connection, number, start), start)
        found.append((block[recipient - first], load_outcome(outcome)))
    return found


def next_attempt(connection: sqlite3.Connection) -> float | None:
    row = connection.execute(f"SELECT min(next_attempt) FROM message WHERE state = {State.DEFERRED:d}").fetchone()
    earliest: float | None = row[0]
    return earliest


def content_of(connection: sqlite3.Connection, number: int) -> bytes | None:
    row = connection.execute("SELECT data FROM content WHERE id = ?", (number,)).fetchone()
    return None if row is None else row[0]


def find(connection: sqlite3.Connection, queue_ids: Iterable[str] | None) -> Iterator[tuple[int, str, State]]:
    """Row number, queue id and state of those named that exist (None: of all), in order of arrival.

    One pass over the small rows; exhaust it before changing them.
    """
    if queue_ids is None:
        rows = connection.execute("SELECT id, queue_id, state FROM message ORDER BY id")
        return ((number, queue_id, State(state)) for number, queue_id, state in rows)
    wanted = set(queue_ids)
    if len(wanted) == 1:
        rows = connection.execute("SELECT id, queue_id, state FROM message WHERE queue_id = ?", tuple(wanted))
    else:
        rows = connection.execute("SELECT id, queue_id, state FROM message ORDER BY id")
    return ((number, queue_id, State(state)) for number, queue_id, state in rows if queue_id in wanted)


def list_state(connection: sqlite3.Connection, state: State, after: int, limit: int) -> list[tuple[int, QueueListing]]:
    """The next messages in one state, in order of arrival, with their row numbers; content is not touched.

    A message that cannot be read is listed with what can be read of it.
    """
    rows = connection.execute(
        "SELECT id, queue_id, arrival, size, flags, recipients, envelope, first FROM message"
        " WHERE state = ? AND id > ? ORDER BY id LIMIT ?",
        (state, after, limit),
    ).fetchall()
    if not rows:
        return []
    status = _status_between(connection, rows[0][0], rows[-1][0])
    listed = []
    for number, queue_id, arrival, size, flags, total, envelope, first in rows:
        listing = QueueListing(queue_id, state.word, arrival, size, "", bool(flags & Flag.EXPIRED))
        try:
            listing.sender = outline(envelope)
            listing.recipients = _listed(connection, number, first, total, status.get(number, {}))
        except (Unreadable, ValueError, TypeError, KeyError):
            listing.recipients = []
        listed.append((number, listing))
    return listed


def _status_between(connection: sqlite3.Connection, low: int, high: int) -> dict[int, dict[int, str | None]]:
    """Message -> recipient -> outcome text (None: done) of all messages in a range of rows."""
    status: dict[int, dict[int, str | None]] = {}
    for message, recipient, progress, outcome in connection.execute(
        "SELECT message, recipient, progress, outcome FROM status WHERE message BETWEEN ? AND ?", (low, high)
    ):
        reason = load_outcome(outcome).text if progress == Progress.DEFERRED else None
        status.setdefault(message, {})[recipient] = reason
    return status


def _listed(
    connection: sqlite3.Connection, number: int, text: str, total: int, status: dict[int, str | None]
) -> list[tuple[str, str]]:
    found = []
    for first in range(1, total + 1, BLOCK):
        for recipient in load_recipients(text if first == 1 else _block(connection, number, first), first):
            reason = status.get(recipient.id, "")
            if reason is not None:
                found.append((recipient.address, reason))
    return found
