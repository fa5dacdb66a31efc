"""The store as a tool opens it: directly, whether or not a server runs.

A running server owns what it holds in memory, so every change leaves word for it (``request`` rows, in the same transaction):
``deleted`` and ``withdrawn`` name messages that are no longer its to deliver, ``requeue``, ``due`` and ``flush`` wake it.
It looks once a second. Transactions are short (500 messages), so that a server never waits long for a tool.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from mailer.message.listing import QueueListing
from mailer.queue import reading, surgery
from mailer.queue.disk import Disk
from mailer.queue.layout import Layout
from mailer.queue.reading import Stored
from mailer.queue.recovery import is_running, tidy_contents
from mailer.queue.schema import State, connect, prepare
from mailer.queue.surgery import Found

__all__ = ["DirectQueue", "NoQueue"]

_PIECE = 500

_EACH = ("deleted", "withdrawn")
_ONCE: list[Found] = [(0, "", State.ACTIVE)]

#: Does something to messages that exist and are in the right state: ``(connection, found) -> changed``.
Operation = Callable[[sqlite3.Connection, list[Found]], Sequence[Found]]


class NoQueue(Exception):
    """There is no store in this queue directory: no server has run here yet."""


class DirectQueue:
    """An open store.

    :raise NoQueue: :raise PermissionError: not the caller's. :raise SchemaError: :raise OSError: :raise sqlite3.Error:
    """

    def __init__(self, queue_directory: str) -> None:
        self.layout = Layout(queue_directory)
        try:
            os.stat(self.layout.database)
        except FileNotFoundError:
            raise NoQueue(self.layout.database) from None
        if not os.access(self.layout.database, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(13, os.strerror(13), self.layout.database)
        self._connection = connect(self.layout.database)
        try:
            prepare(self._connection, create=False)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    @property
    def running(self) -> bool:
        """Whether a server owns the store now."""
        return is_running(self.layout)

    # -- looking

    def listing(self) -> Iterator[QueueListing]:
        """All messages, state by state, in order of arrival; a few hundred at a time are in memory."""
        for state in reading.LISTED:
            if state is not State.CORRUPT:
                after = 0
                while piece := reading.list_state(self._connection, state, after, _PIECE):
                    yield from (listing for _, listing in piece)
                    after = piece[-1][0]

    def load(self, queue_id: str) -> Stored | None:
        """One message with its inline content and all its recipients, done ones included.

        :raise Unreadable: :raise sqlite3.Error:
        """
        return reading.load_named(self._connection, self.layout, queue_id, everyone=True)

    def done(self, stored: Stored) -> set[int]:
        """Ids of a message's recipients that are not pending any more."""
        return reading.done_recipients(self._connection, stored.number)

    # -- changing

    def operate(
        self, operation: Operation, queue_ids: Iterable[str] | None, states: Collection[State], words: Collection[str]
    ) -> Iterator[str]:
        """Do something to messages and leave word of it.

        :param queue_ids: which ones; None: all.
        :param states: only those in one of these states.
        :param words: the requests that a server gets: ``deleted`` and ``withdrawn`` for each one changed that it may hold
            in memory, others once.
        :return: queue ids of those changed, as soon as each piece is durable.
        """
        wanted = None if queue_ids is None else list(queue_ids)
        found = [one for one in reading.find(self._connection, wanted) if one[2] in states]
        for start in range(0, len(found), _PIECE):
            numbers = [number for number, _, _ in found[start : start + _PIECE]]
            for _, queue_id, _ in self._transaction(operation, numbers, states, words):
                yield queue_id

    def _transaction(
        self, operation: Operation, numbers: list[int], states: Collection[State], words: Collection[str]
    ) -> Sequence[Found]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Looked at again: a server may have changed them since.
            present = [one for one in reading.find_rows(connection, numbers) if one[2] in states]
            filed = reading.with_file(connection, [number for number, _, _ in present])
            changed = operation(connection, present)
            in_memory = [one for one in changed if one[2] in (State.INCOMING, State.ACTIVE)]
            for word in words if changed else ():
                surgery.tell(connection, word, in_memory if word in _EACH else _ONCE)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if "deleted" in words:
            for number, queue_id, _ in changed:
                if number in filed:
                    Disk().unlink(self.layout.content_file(queue_id))
        return changed

    def wake(self, word: str) -> None:
        """Leave word for a server without changing anything: ``due``, ``flush`` or ``requeue``."""
        self._transaction(lambda connection, found: _ONCE, [], (), (word,))

    def tidy(self) -> int:
        """Remove contents without a message. :return: how many."""
        return tidy_contents(self._connection, self.layout, Disk())

    def check(self) -> Iterator[str]:
        """What is wrong with the database's structure, and with messages that are not set aside yet."""
        for (finding,) in self._connection.execute("PRAGMA quick_check(100)"):
            if finding != "ok":
                yield finding
        for number, queue_id, state in list(reading.find(self._connection, None)):
            if state is not State.CORRUPT:
                try:
                    reading.load(self._connection, self.layout, number, 1, False)
                except reading.Unreadable as error:
                    yield f"{queue_id}: {error}"
