"""The queue on SQLite: the reactor's side of it.

Order of a message: content synced (if it has a file), row committed and synced, then ``commit`` returns and the consumer is
told. What the consumer notes (record, defer, remove) is kept up to 20 ms and written with the next batch. The crash rules
are in docs/queue.rst. This module knows no destinations, no transports, and touches no disk itself.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from random import SystemRandom
from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from mailer.interfaces.queue import IQueue
from mailer.message.envelope import Envelope, Recipient
from mailer.message.listing import QueueListing
from mailer.message.queueid import QueueIds
from mailer.message.status import Outcome, TemporaryError
from mailer.queue import reading, surgery
from mailer.queue.batch import Batch, Call, Defer, Insert, Move, Notes, Record, Remove
from mailer.queue.claiming import Loaded, load_all, mark_active
from mailer.queue.codec import dump_envelope, dump_recipients
from mailer.queue.content import FileContent, InlineContent, RowContent
from mailer.queue.disk import Disk
from mailer.queue.entry import QueueEntry
from mailer.queue.failure import as_mail_error
from mailer.queue.incoming import IncomingMessage
from mailer.queue.layout import Layout
from mailer.queue.reader import Reader
from mailer.queue.reading import Stored
from mailer.queue.recovery import Opened, open_store, tidy_contents
from mailer.queue.schema import BLOCK, Flag, State
from mailer.queue.space import Space
from mailer.queue.spool import ContentFile, Spool
from mailer.queue.writer import Writer

__all__ = ["SqliteQueue"]

_faults = Logger()
_NOTE_SECONDS = 0.02
_MOST_NOTES = 200
_INLINE_BUDGET = 64 * 1024 * 1024
_IO_THREADS = 4
_LIST_PIECE = 500


@implementer(IQueue)
class SqliteQueue:
    """The store; see IQueue.

    :param queue_directory: where mailer.queue.layout puts its files.
    :param reactor: IReactorTime and IReactorFromThreads.
    :param seconds: the wall clock.
    :param log: a ServiceLog.
    :param serial: where queue ids start to count; random if None.
    :param minfree: queue_minfree; ``size_limit`` is message_size_limit.
    :param inline_budget: octets of content that active entries may keep in memory in all.
    """

    def __init__(
        self,
        queue_directory: str,
        reactor: Any,
        seconds: Callable[[], float],
        log: Any,
        *,
        serial: int | None = None,
        long_ids: bool = False,
        minfree: int = 0,
        size_limit: int = 0,
        inline_budget: int = _INLINE_BUDGET,
        disk: Disk | None = None,
        poll_seconds: float = 1.0,
    ) -> None:
        self._layout = Layout(queue_directory)
        self._reactor = reactor
        self._seconds = seconds
        self._log = log
        self._disk = disk or Disk()
        self._ids = QueueIds(seconds, SystemRandom().randrange(1 << 24) if serial is None else serial, long_ids)
        self._pool = ThreadPool(0, _IO_THREADS, "mailer-queue-io")
        self._pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]  # a process may end without stop
        self._spool = Spool(self._layout, reactor, self._pool, self._disk)
        self._reader = Reader(self._layout.database, self._in_thread)
        self._space = Space(self._measure, time.monotonic, log, minfree, size_limit)
        self._poll_seconds = poll_seconds
        self._writer: Writer | None = None
        self._opened: Opened | None = None
        self._number = 0
        self._consumer: Any = None
        self._portion = 1000
        self._roomy = False
        self._active: dict[str, QueueEntry] = {}
        self._withdrawn: set[int] = set()
        self._claims = 0
        self._inline_left = inline_budget
        self._notes: list[Any] = []
        self._notes_due = False

    @classmethod
    def for_context(cls, context: Any, **options: Any) -> SqliteQueue:
        """:param context: mailer.interfaces.context.Context."""
        settings = context.settings
        return cls(
            settings.queue_directory,
            context.reactor,
            context.seconds,
            context.log,
            long_ids=settings.enable_long_queue_ids,
            minfree=settings.queue_minfree,
            size_limit=settings.message_size_limit,
            **options,
        )

    # -- life

    async def start(self) -> None:
        """Open and recover.

        :raise QueueInUse: another server owns it. :raise SchemaError: a later version wrote it. :raise OSError:
        :raise sqlite3.Error:
        """
        self._pool.start()
        try:
            opened = await self._in_thread(open_store, self._layout)
        except BaseException:
            self._pool.stop()
            raise
        self._opened = opened
        self._number = opened.number
        if opened.postfix_mail:
            self._log.warning(
                f"{opened.postfix_mail} messages are left in a Postfix queue below {self._layout.queue_directory}:"
                " they will not be delivered by this mail system"
            )
        await self._space.refresh()
        self._writer = Writer(
            opened.connection, self._disk, self._hand_back, self._look, self._complain, self._poll_seconds
        )
        self._writer.start()
        Deferred.fromCoroutine(self._tidy())

    async def _tidy(self) -> None:
        try:
            await self._reader.run(tidy_contents, self._layout, self._disk)
        except (OSError, sqlite3.Error) as error:
            self._log.warning(f"cannot tidy mail queue contents: {error}")

    async def stop(self) -> None:
        """Write what has been told so far, then close. Messages not yet committed are refused from now on."""
        if self._writer is None:
            return
        await self.flushed()
        writer, self._writer = self._writer, None
        writer.stop()
        await self._in_thread(writer.join)
        self._reader.close()
        self._disk.close(self._opened.lock)  # type: ignore[union-attr]
        self._pool.stop()

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._pool, function, *arguments)

    def _measure(self) -> Deferred[int]:
        return self._in_thread(self._disk.free, self._layout.root)

    # -- the sink

    def open(self, envelope: Envelope, producer: Any = None) -> IncomingMessage:
        if self._writer is None:
            raise TemporaryError("the mail queue is closed", "4.3.2", "Error: mail system is shutting down")
        if envelope.source == "smtp":
            if self._space.stale:
                Deferred.fromCoroutine(self._space.refresh())
            self._space.check(envelope.size)
        return IncomingMessage(self, envelope, producer, self._ids.next())

    def content_file(self, queue_id: str, producer: Any) -> ContentFile:
        """For IncomingMessage."""
        return self._spool.create(queue_id, producer)

    def insert(self, message: IncomingMessage) -> None:
        """For IncomingMessage: fires ``message.durable`` when its row is on the disk."""
        if self._writer is None:
            raise TemporaryError("the mail queue is closed", "4.3.2", "Error: mail system is shutting down")
        number = self._number
        self._number += 1
        envelope, recipients = message.envelope, message.recipients
        if not envelope.arrival:
            envelope.arrival = self._seconds()
        state = State.HOLD if envelope.hold else State.ACTIVE if self._roomy else State.INCOMING
        row = (
            number,
            message.queue_id,
            int(state),
            envelope.arrival,
            int(Flag.FILE) if message.file is not None else 0,
            message.size,
            message.octets,
            len(recipients),
            dump_envelope(envelope),
            dump_recipients(recipients[:BLOCK]),
        )
        blocks = [
            (number, first + 1, dump_recipients(recipients[first : first + BLOCK]))
            for first in range(BLOCK, len(recipients), BLOCK)
        ]
        self._flush_notes()
        self._writer.put(Insert(row, message.data, blocks, message))

    # -- between the threads

    def _call(self, function: Callable[[sqlite3.Connection], Any]) -> Deferred[Any]:
        """Run in the writer thread, after everything told so far; the answer comes when it is committed."""
        if self._writer is None:
            raise TemporaryError("the mail queue is closed")
        self._flush_notes()
        answer: Deferred[Any] = Deferred()
        self._writer.put(Call(function, answer))
        return answer

    def _note(self, job: Any) -> None:
        """Written with the next batch, at the latest after 20 ms."""
        self._notes.append(job)
        if len(self._notes) >= _MOST_NOTES:
            self._flush_notes()
        elif not self._notes_due:
            self._notes_due = True
            self._reactor.callLater(_NOTE_SECONDS, self._notes_are_due)

    def _notes_are_due(self) -> None:
        self._notes_due = False
        self._flush_notes()

    def _flush_notes(self) -> None:
        if self._notes and self._writer is not None:
            notes, self._notes = self._notes, []
            self._writer.put(Notes(notes))

    def _hand_back(self, batch: Batch) -> None:
        """In the writer thread: one wake-up of the reactor for the whole batch."""
        if batch.inserts or batch.calls:
            self._reactor.callFromThread(self._settled, batch.inserts, batch.calls)
        if batch.files:
            self._spool.unlink(batch.files, self._log)

    def _complain(self, text: str) -> None:
        self._reactor.callFromThread(self._log.warning, text)

    def _settled(self, inserts: list[Insert], calls: list[Call]) -> None:
        for insert in inserts:
            self._stored(insert)
        for call in calls:
            if call.error is None:
                call.done.callback(call.result)
            else:
                call.done.errback(Failure(as_mail_error(call.error)))

    def _stored(self, insert: Insert) -> None:
        message: IncomingMessage = insert.done
        durable = message.durable
        if insert.error is not None:
            message.discard()
            durable.errback(Failure(as_mail_error(insert.error)))  # type: ignore[union-attr]
            return
        if message.file is not None:
            message.file.close()
        durable.callback(message.queue_id)  # type: ignore[union-attr]
        try:
            self._announce(insert, message)
        except Exception:  # the consumer's fault must not keep other sessions from their answer
            _faults.failure("the queue's consumer failed at {queue_id}", queue_id=message.queue_id)

    def _announce(self, insert: Insert, message: IncomingMessage) -> None:
        """Hand a new message to the consumer, or leave it as incoming."""
        consumer, number, state = self._consumer, insert.row[0], insert.row[2]
        if state == State.HOLD or consumer is None:
            return
        self._roomy = consumer.room()
        if not self._roomy:
            if state == State.ACTIVE:
                self._note(Move(number, State.ACTIVE, State.INCOMING))
            return
        if state == State.INCOMING:
            if self._claims:  # one under way may have taken it
                consumer.due(False)
                return
            self._note(Move(number, State.INCOMING, State.ACTIVE))
        consumer.arrived(self._new_entry(number, message))

    def _new_entry(self, number: int, message: IncomingMessage) -> QueueEntry:
        entry = QueueEntry(
            message.queue_id,
            number,
            message.envelope,
            message.recipients[: self._portion],
            len(message.recipients),
            self._content(number, message.queue_id, message.octets, message.data, message.file is not None),
            message.size,
            message.envelope.arrival,
            message.file is not None,
            nrcpt=len(message.recipients),
        )
        self._active[entry.queue_id] = entry
        return entry

    def _content(self, number: int, queue_id: str, octets: int, data: bytes | None, filed: bool) -> Any:
        if filed:
            return FileContent(self._layout.content_file(queue_id), octets, self._in_thread)
        if data is not None and octets <= self._inline_left:
            self._inline_left -= octets
            return InlineContent(data)
        return RowContent(octets, partial(self._read_content, number))

    async def _read_content(self, number: int) -> bytes:
        try:
            data = await self._reader.run(reading.content_of, number)
        except sqlite3.Error as error:
            raise TemporaryError(f"mail queue: {error}", text="queue file read error") from error
        if data is None:
            raise TemporaryError("the message has gone from the queue", text="queue file read error")
        return bytes(data)

    def _let_go(self, queue_id: str) -> QueueEntry | None:
        entry = self._active.pop(queue_id, None)
        if entry is not None:
            self._withdrawn.discard(entry.number)
            if entry.content.inline is not None:
                self._inline_left += entry.content.size
        return entry

    # -- for the consumer

    def subscribe(self, consumer: Any, recipients: int = 1000) -> None:
        self._consumer = consumer
        self._portion = recipients
        self._roomy = consumer.room()

    async def claim(self, now: float, limit: int, deferred: bool = True, incoming: bool = True) -> list[QueueEntry]:
        self._claims += 1
        try:
            spared = frozenset(self._withdrawn)
            marked = await self._call(lambda c: mark_active(c, now, limit, deferred, incoming, spared))
        finally:
            self._claims -= 1
        if not marked:
            return []
        try:
            numbers = [number for number, _ in marked]
            loaded = await self._reader.run(load_all, self._layout, numbers, self._portion, self._inline_left)
        except sqlite3.Error as error:
            for number, state in marked:
                self._note(Move(number, State.ACTIVE, state))
            raise TemporaryError(f"mail queue: {error}") from error
        await self._condemn(loaded)
        return [self._claimed(stored) for stored in loaded.messages if stored.state is State.ACTIVE]

    async def _condemn(self, loaded: Loaded) -> None:
        for number, reason in loaded.damaged:
            queue_id = await self._call(partial(_mark_corrupt, number=number))
            self._log.warning(f"corrupted queue file: {queue_id} ({reason})")

    def _claimed(self, stored: Stored) -> QueueEntry:
        self._let_go(stored.queue_id)
        entry = self._entry(stored, stored.data)
        self._active[entry.queue_id] = entry
        return entry

    def _entry(self, stored: Stored, data: bytes | None) -> QueueEntry:
        filed = bool(stored.flags & Flag.FILE)
        return QueueEntry(
            stored.queue_id,
            stored.number,
            stored.envelope,
            stored.recipients,
            stored.total - stored.done,
            self._content(stored.number, stored.queue_id, stored.octets, data, filed),
            stored.size,
            stored.arrival,
            filed,
            stored.attempts,
            stored.bounced,
            bool(stored.flags & Flag.WARNED),
            bool(stored.flags & Flag.EXPIRED),
            stored.total,
        )

    async def recipients(self, queue_id: str, after: int, limit: int) -> list[Recipient]:
        def ask(connection: sqlite3.Connection) -> list[Recipient]:
            number = self._row(connection, queue_id)
            return [] if number is None else reading.pending_recipients(connection, number, after, limit)

        found: list[Recipient] = await self._call(ask)
        return found

    def _row(self, connection: sqlite3.Connection, queue_id: str) -> int | None:
        """The row of a message: known if it is active, else looked for."""
        entry = self._active.get(queue_id)
        if entry is not None:
            return entry.number
        return next((number for number, _, _ in reading.find(connection, [queue_id])), None)

    async def next_attempt(self) -> float | None:
        earliest: float | None = await self._call(reading.next_attempt)
        return earliest

    def record(self, queue_id: str, outcomes: Iterable[tuple[int, Outcome]]) -> None:
        entry = self._active.get(queue_id)
        if entry is not None:
            self._note(Record(entry.number, outcomes))

    async def failures(self, queue_id: str) -> list[tuple[Recipient, Outcome]]:
        def ask(connection: sqlite3.Connection) -> list[tuple[Recipient, Outcome]]:
            number = self._row(connection, queue_id)
            return [] if number is None else reading.failures(connection, number)

        found: list[tuple[Recipient, Outcome]] = await self._call(ask)
        return found

    def remove(self, queue_id: str) -> None:
        entry = self._let_go(queue_id)
        if entry is not None:
            self._note(Remove(entry.number, queue_id if entry.filed else ""))

    def defer(self, queue_id: str, next_attempt: float, warned: bool | None = None) -> None:
        entry = self._let_go(queue_id)
        if entry is not None:
            self._note(Defer(entry.number, next_attempt, int(Flag.WARNED) if warned else 0))

    async def flushed(self) -> None:
        await self._call(lambda connection: None)

    # -- for administrators

    async def hold(self, queue_ids: Iterable[str]) -> int:
        wanted = list(queue_ids)
        held = await self._call(lambda c: surgery.hold(c, list(reading.find(c, wanted))))
        self._withdraw([(number, queue_id) for number, queue_id, state in held if state is State.ACTIVE])
        return len(held)

    async def release(self, queue_ids: Iterable[str]) -> int:
        wanted, now = list(queue_ids), self._seconds()
        released = await self._call(lambda c: surgery.release(c, list(reading.find(c, wanted)), now))
        if released and self._consumer is not None:
            self._consumer.due(False)
        return len(released)

    async def flush(self, queue_ids: Iterable[str] | None = None, domain: str | None = None) -> int:
        wanted, now = None if queue_ids is None else list(queue_ids), self._seconds()

        def make_due(connection: sqlite3.Connection) -> int:
            found = list(reading.find(connection, wanted))
            if domain is not None:
                found = surgery.with_domain(connection, found, domain)
            return len(surgery.make_due(connection, found, now))

        count: int = await self._call(make_due)
        if self._consumer is not None:
            self._consumer.due(True)
        return count

    async def load(self, queue_id: str) -> QueueEntry | None:
        await self.flushed()
        try:
            stored = await self._reader.run(_load_named, self._layout, queue_id, self._portion)
        except (reading.Unreadable, sqlite3.Error) as error:
            raise TemporaryError(f"{queue_id}: {error}", text="queue file read error") from error
        if stored is None:
            return None
        entry = self._entry(stored, None)
        if stored.data is not None:
            entry.content = InlineContent(stored.data)  # the caller's, not counted
        return entry

    async def listing(self) -> AsyncIterator[QueueListing]:
        await self.flushed()
        for state in reading.LISTED:
            after = 0
            while piece := await self._reader.run(reading.list_state, state, after, _LIST_PIECE):
                for _, row in piece:
                    yield row
                after = piece[-1][0]

    # -- what tools have changed

    def _look(self, connection: sqlite3.Connection) -> None:
        """In the writer thread: pick up the requests of tools."""
        requests = connection.execute("SELECT id, verb, message, queue_id FROM request ORDER BY id").fetchall()
        if requests:
            connection.execute("DELETE FROM request WHERE id <= ?", (requests[-1][0],))
            self._reactor.callFromThread(self._requested, [request[1:] for request in requests])

    def _requested(self, requests: list[tuple[str, int, str]]) -> None:
        verbs = {verb for verb, _, _ in requests}
        self._withdraw([(number, queue_id) for verb, number, queue_id in requests if verb == "withdrawn"])
        deleted = [(number, queue_id) for verb, number, queue_id in requests if verb == "deleted"]
        self._withdraw(deleted)
        for _, queue_id in deleted:
            self._let_go(queue_id)
        if self._consumer is not None and verbs & {"due", "flush"}:
            self._consumer.due("flush" in verbs)

    def _withdraw(self, rows: list[tuple[int, str]]) -> None:
        mine = [queue_id for number, queue_id in rows if self._is_mine(number, queue_id)]
        self._withdrawn.update(self._active[queue_id].number for queue_id in mine)
        if mine and self._consumer is not None:
            self._consumer.withdrawn(mine)

    def _is_mine(self, number: int, queue_id: str) -> bool:
        entry = self._active.get(queue_id)
        return entry is not None and entry.number == number


def _mark_corrupt(connection: sqlite3.Connection, number: int) -> str:
    connection.execute("UPDATE message SET state = ? WHERE id = ?", (State.CORRUPT, number))
    row = connection.execute("SELECT queue_id FROM message WHERE id = ?", (number,)).fetchone()
    return row[0] if row else f"row {number}"


def _load_named(connection: sqlite3.Connection, layout: Layout, queue_id: str, portion: int) -> Stored | None:
    for number, _, _ in reading.find(connection, [queue_id]):
        return reading.load(connection, layout, number, portion, True)
    return None
