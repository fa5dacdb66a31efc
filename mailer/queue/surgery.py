"""What an administrator does to the queue: delete, hold, release, requeue, expire, make due. For server and tools alike.

Functions of a connection, inside the caller's transaction. Each returns what it changed, as ``(row, queue id, state
before)``. A tool also leaves ``request`` rows (``tell``), from which a running server learns what became of messages that it
holds in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from mailer.message.address import domain_of
from mailer.queue.batch import execute_many, remove_messages
from mailer.queue.reading import Unreadable, find, pending_recipients
from mailer.queue.schema import Flag, State

__all__ = ["Found", "delete", "expire", "flush", "hold", "make_due", "release", "requeue", "tell", "with_domain"]

#: Row number, queue id, state.
Found = tuple[int, str, State]


def delete(connection: sqlite3.Connection, found: list[Found]) -> list[Found]:
    """Forget messages. Their files go once this is committed."""
    remove_messages(connection, [number for number, _, _ in found])
    return found


def _move(connection: sqlite3.Connection, found: list[Found], assignment: str) -> list[Found]:
    statement = f"UPDATE message SET {assignment} WHERE id IN (%s)"
    execute_many(connection, statement, "?", [(number,) for number, _, _ in found])
    return found


def hold(connection: sqlite3.Connection, found: Iterable[Found]) -> list[Found]:
    """Incoming, active and deferred messages go on hold."""
    movable = (State.INCOMING, State.ACTIVE, State.DEFERRED)
    return _move(connection, [one for one in found if one[2] in movable], f"state = {State.HOLD:d}")


def release(connection: sqlite3.Connection, found: Iterable[Found], now: float) -> list[Found]:
    """From hold to deferred, due now."""
    held = [one for one in found if one[2] is State.HOLD]
    return _move(connection, held, f"state = {State.DEFERRED:d}, next_attempt = {float(now)!r}")


def expire(connection: sqlite3.Connection, found: list[Found]) -> list[Found]:
    """Return to sender at the next attempt; those that are to be returned already are left out."""
    marks = ",".join("?" * len(found))
    query = f"SELECT id FROM message WHERE flags & {Flag.EXPIRED:d} AND id IN ({marks})"
    already = {number for (number,) in connection.execute(query, [number for number, _, _ in found])}
    return _move(connection, [one for one in found if one[0] not in already], f"flags = flags | {Flag.EXPIRED:d}")


def make_due(connection: sqlite3.Connection, found: Iterable[Found], now: float) -> list[Found]:
    """Deferred messages become due now, those due earlier keep their place."""
    deferred = [one for one in found if one[2] is State.DEFERRED]
    return _move(connection, deferred, f"next_attempt = min(next_attempt, {float(now)!r})")


def requeue(connection: sqlite3.Connection, found: list[Found]) -> list[Found]:
    """To ``maildrop``, from where a server sends them through cleaning again, which gives them new queue ids."""
    return _move(connection, found, f"state = {State.MAILDROP:d}")


def flush(connection: sqlite3.Connection, queue_ids: list[str] | None, domain: str | None, now: float) -> list[Found]:
    """Deferred messages become due: all, those named, those with a pending recipient in a domain."""
    found: Iterable[Found] = list(find(connection, queue_ids))
    if domain is not None:
        found = with_domain(connection, found, domain)
    return make_due(connection, found, now)


def with_domain(connection: sqlite3.Connection, found: Iterable[Found], domain: str) -> list[Found]:
    """Those with a pending recipient in a domain."""
    wanted = domain.lower()
    return [one for one in found if wanted in _domains(connection, one[0])]


def _domains(connection: sqlite3.Connection, number: int) -> set[str]:
    domains: set[str] = set()
    after = 0
    while True:
        try:
            portion = pending_recipients(connection, number, after, 1000)
        except (Unreadable, ValueError, TypeError):
            return domains
        if not portion:
            return domains
        domains.update(domain_of(recipient.address) for recipient in portion)
        after = portion[-1].id


def tell(connection: sqlite3.Connection, verb: str, found: Iterable[Found]) -> None:
    """Leave word for a running server."""
    execute_many(
        connection,
        "INSERT INTO request (verb, message, queue_id) VALUES %s",
        "(?,?,?)",
        [(verb, number, queue_id) for number, queue_id, _ in found],
    )
