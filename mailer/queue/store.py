"""The queue on SQLite: messages in and out, as IQueue has it.

Order of a message: content synced (if it has a file), row committed and synced, then ``commit`` returns and the consumer is
told. What the consumer notes (record, defer, remove) is written with the next batch. The crash rules are in docs/queue.rst.
This module knows no destinations, no transports, and touches no disk itself.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from random import SystemRandom
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailer.interfaces.queue import IQueue
from mailer.message.envelope import Envelope, Recipient
from mailer.message.listing import QueueListing
from mailer.message.queueid import QueueIds
from mailer.message.status import MailError, Outcome, TemporaryError
from mailer.queue import reading, surgery
from mailer.queue.batch import Defer, Insert, Move, Record, Remove
from mailer.queue.claiming import Loaded, load_all, mark_active, mark_corrupt
from mailer.queue.content import Contents, InlineContent
from mailer.queue.database import Database, Request, thread_pool
from mailer.queue.disk import Disk
from mailer.queue.entry import QueueEntry, entry_of
from mailer.queue.failure import as_mail_error
from mailer.queue.incoming import IncomingMessage
from mailer.queue.layout import Layout
from mailer.queue.reading import Stored
from mailer.queue.recovery import tidy_contents
from mailer.queue.requeue import Requeuing
from mailer.queue.schema import Flag, State
from mailer.queue.space import Space
from mailer.queue.spool import ContentFile, Spool

__all__ = ["SqliteQueue"]

_faults = Logger()
_INLINE_BUDGET = 64 * 1024 * 1024
_LIST_PIECE = 500


@implementer(IQueue)
class SqliteQueue:
    """The store; see IQueue. ``start`` before use, ``stop`` at the end.

    :param queue_directory: where mailer.queue.layout puts its files.
    :param reactor: IReactorTime and IReactorFromThreads.
    :param seconds: the wall clock.
    :param log: a ServiceLog.
    :param serial: where queue ids start to count; random if None.
    :param minfree: queue_minfree; ``size_limit`` is message_size_limit.
    :param inline_budget: octets of content that active entries may keep in memory in all.
    :param lanes: see QueueIds; this one's lane is 0.
    :param poll_seconds: how often to look for what tools have changed.
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
        lanes: int = 1,
    ) -> None:
        self._layout = Layout(queue_directory)
        self._seconds = seconds
        self._log = log
        self._disk = disk or Disk()
        self._ids = QueueIds(
            seconds, SystemRandom().randrange(1 << 24) if serial is None else serial, long_ids, 0, lanes
        )
        self._database = Database(
            self._layout, reactor, log, self._disk, self._stored, self.unlink, self._requested, poll_seconds
        )
        # Threads of their own: reading must not wait behind the syncing of big contents.
        self.spool = Spool(self._layout, reactor, thread_pool("mailer-queue-write"), self._disk)
        self._contents = Contents(self._layout, self._database, inline_budget)
        self._space = Space(self._measure, time.monotonic, log, minfree, size_limit)
        self._consumer: Any = None
        self._portion = 1000
        self._roomy = False
        self._number = 0
        self._active: dict[str, QueueEntry] = {}
        self._withdrawn: set[int] = set()
        self._claims = 0
        self._requeuing = Requeuing(self, self._database, log, seconds, self._withdrawn)

    @classmethod
    def for_context(cls, context: Any, **options: Any) -> SqliteQueue:
        """:param context: mailer.interfaces.context.Context."""
        settings = context.settings
        return cls(
            context.queue_directory,
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

        :raise QueueInUse: another server owns it. :raise SchemaError: it is damaged, or a later version wrote it. Both are
            ConfigErrors. :raise OSError:
        """
        opened = await self._database.start()
        self.spool.pool.start()
        self._number = opened.number
        if opened.postfix_mail:
            self._log.warning(
                f"{opened.postfix_mail} queue files of Postfix are left below {self._layout.queue_directory}:"
                " this mail system does not deliver them"
            )
        await self._space.refresh()
        Deferred.fromCoroutine(self.tidy())

    async def tidy(self) -> None:
        """Remove contents that belong to no message: their writers were stopped before they had written them."""
        try:
            await self.flushed()
            await self._database.read(tidy_contents, self._layout, self._disk, self.spool)
        except (OSError, sqlite3.Error) as error:
            self._log.warning(f"cannot tidy mail queue contents: {error}")

    async def stop(self) -> None:
        """Write what has been told so far, then close. Messages not yet handed over for commit are refused."""
        if not self._database.closed:
            await self._database.stop()
            self.spool.pool.stop()

    def requeue_through(self, sink: Any, header: Callable[[str], bytes]) -> None:
        """Send requeued messages through this IMessageSink (the cleaning chain of local mail) from now on.

        Called before ``subscribe``; without it a requeued message starts anew as it is.

        :param header: gives the Received header, with its line end, that a message gets on its way through; from its
            new queue id.
        """
        self._requeuing.sink = sink
        self._requeuing.header = header

    # -- the sink

    def open(self, envelope: Envelope, producer: Any = None) -> IncomingMessage:
        if self._database.closed:
            raise TemporaryError("the mail queue is closed", "4.3.2", "Error: mail system is shutting down")
        if envelope.source == "smtp":
            if self._space.stale:
                Deferred.fromCoroutine(self._space.refresh())
            self._space.check(envelope.size)
        return IncomingMessage(self, envelope, producer, self._ids.next())

    def _measure(self) -> Deferred[int]:
        return self._database.in_thread(self._disk.free, self._layout.root)

    def content_file(self, queue_id: str, producer: Any) -> ContentFile:
        """For IncomingMessage."""
        return self.spool.create(queue_id, producer)

    def unlink(self, queue_ids: list[str]) -> None:
        """Remove content files of messages that are gone for good. Called in any thread."""
        self.spool.unlink(queue_ids, self._log)

    def insert(self, message: Any) -> None:
        """For IncomingMessage and HandedMessage: fires ``message.durable`` when its row is on the disk."""
        number = self._number
        self._number += 1
        envelope = message.envelope
        if not envelope.arrival:
            envelope.arrival = self._seconds()
        state = State.HOLD if envelope.hold else State.ACTIVE if self._roomy else State.INCOMING
        self._database.put(message.job(number, state))

    def _stored(self, inserts: list[Insert]) -> None:
        """Rows are on the disk, or could not be written. All the clients that wait are answered before any delivery
        begins: they can go on meanwhile."""
        for insert in inserts:
            self._answer(insert)
        for insert in inserts:
            if insert.error is None:
                try:
                    self._announce(insert, insert.done)
                except Exception:  # the consumer's fault must not keep others from being delivered
                    _faults.failure("the queue's consumer failed at {queue_id}", queue_id=insert.done.queue_id)

    @staticmethod
    def _answer(insert: Insert) -> None:
        message = insert.done
        if insert.error is not None:
            message.discard()
            message.durable.errback(Failure(as_mail_error(insert.error)))
            return
        if message.file is not None:
            message.file.close()
        message.durable.callback(message.queue_id)

    def _announce(self, insert: Insert, message: Any) -> None:
        """Hand a new message to the consumer, or leave it as incoming."""
        consumer, number, state = self._consumer, insert.row[0], insert.row[2]
        if state == State.HOLD or consumer is None:
            return
        self._roomy = consumer.room()
        if not self._roomy:
            if state == State.ACTIVE:
                self._database.note(Move(number, State.ACTIVE, State.INCOMING))
            return
        if state == State.INCOMING:
            if self._claims:  # one under way may have taken it
                consumer.due(False)
                return
            self._database.note(Move(number, State.INCOMING, State.ACTIVE))
        consumer.arrived(self._new_entry(number, message))

    def _new_entry(self, number: int, message: Any) -> QueueEntry:
        filed = message.file is not None
        entry = QueueEntry(
            message.queue_id,
            number,
            message.envelope,
            message.portion(self._portion),
            message.total,
            self._content(number, message.queue_id, message.octets, message.data, filed),
            message.size,
            message.envelope.arrival,
            filed,
            nrcpt=message.total,
        )
        self._active[entry.queue_id] = entry
        return entry

    def _content(self, number: int, queue_id: str, octets: int, data: bytes | None, filed: bool) -> Any:
        if filed:
            return self._contents.of_file(queue_id, octets)
        return self._contents.of_row(number, octets, data)

    def _let_go(self, queue_id: str) -> QueueEntry | None:
        entry = self._active.pop(queue_id, None)
        if entry is not None:
            self._contents.released(entry.content)
        return entry

    def _was_withdrawn(self, number: int) -> None:
        """The consumer has let go of what an administrator took away: now it can be requeued, if that was the wish."""
        if number in self._withdrawn:
            self._withdrawn.remove(number)
            Deferred.fromCoroutine(self._requeue())

    # -- for the consumer

    def subscribe(self, consumer: Any, recipients: int = 1000) -> None:
        self._consumer = consumer
        self._portion = recipients
        self._roomy = consumer.room()
        if not self._database.closed:
            Deferred.fromCoroutine(self._requeue())

    async def claim(self, now: float, limit: int, deferred: bool = True, incoming: bool = True) -> list[QueueEntry]:
        spared = frozenset(self._withdrawn)
        self._claims += 1
        try:
            marked = await self._database.call(lambda c: mark_active(c, now, limit, deferred, incoming, spared))
        finally:
            self._claims -= 1
        if not marked:
            return []
        numbers = [number for number, _ in marked]
        try:
            loaded = await self._database.read(load_all, self._layout, numbers, self._portion, self._contents.left)
        except sqlite3.Error as error:
            for number, state in marked:
                self._database.note(Move(number, State.ACTIVE, state))
            raise TemporaryError(f"mail queue: {error}") from error
        await self._condemn(loaded)
        return [self._claimed(stored) for stored in loaded.messages if stored.state is State.ACTIVE]

    async def _condemn(self, loaded: Loaded) -> None:
        for number, reason in loaded.damaged:
            queue_id = await self._database.call(partial(mark_corrupt, number=number))
            self._log.warning(f"corrupted queue file: {queue_id} ({reason})")

    def _claimed(self, stored: Stored) -> QueueEntry:
        entry = self._entry(stored, stored.data)
        self._active[entry.queue_id] = entry
        return entry

    def _entry(self, stored: Stored, data: bytes | None) -> QueueEntry:
        filed = bool(stored.flags & Flag.FILE)
        return entry_of(stored, self._content(stored.number, stored.queue_id, stored.octets, data, filed))

    async def recipients(self, queue_id: str, after: int, limit: int) -> list[Recipient]:
        found: list[Recipient] = await self._ask(queue_id, reading.pending_recipients, after, limit)
        return found

    async def _ask(self, queue_id: str, question: Callable[..., list[Any]], *arguments: Any) -> list[Any]:
        """``question(connection, row, *arguments)`` of one message; [] if it has gone."""

        def ask(connection: sqlite3.Connection) -> list[Any]:
            number = self._row(connection, queue_id)
            return [] if number is None else question(connection, number, *arguments)

        found: list[Any] = await self._database.call(ask)
        return found

    def _row(self, connection: sqlite3.Connection, queue_id: str) -> int | None:
        """The row of a message: known if it is active, else looked for."""
        entry = self._active.get(queue_id)
        if entry is not None:
            return entry.number
        return next((number for number, _, _ in reading.find(connection, [queue_id])), None)

    async def next_attempt(self) -> float | None:
        earliest: float | None = await self._database.call(reading.next_attempt)
        return earliest

    def record(self, queue_id: str, outcomes: Iterable[tuple[int, Outcome]]) -> None:
        entry = self._active.get(queue_id)
        if entry is not None:
            self._database.note(Record(entry.number, outcomes))

    async def failures(self, queue_id: str) -> list[tuple[Recipient, Outcome]]:
        found: list[tuple[Recipient, Outcome]] = await self._ask(queue_id, reading.failures)
        return found

    def remove(self, queue_id: str) -> None:
        entry = self._let_go(queue_id)
        if entry is not None:
            self._database.note(Remove(entry.number, queue_id if entry.filed else ""))
            self._was_withdrawn(entry.number)

    def defer(self, queue_id: str, next_attempt: float, warned: bool | None = None) -> None:
        entry = self._let_go(queue_id)
        if entry is not None:
            self._database.note(Defer(entry.number, next_attempt, int(Flag.WARNED) if warned else 0))
            self._was_withdrawn(entry.number)

    async def flushed(self) -> None:
        await self._database.call(lambda connection: None)

    # -- for administrators

    async def hold(self, queue_ids: Iterable[str]) -> int:
        wanted = list(queue_ids)
        held = await self._database.call(lambda c: surgery.hold(c, list(reading.find(c, wanted))))
        self._withdraw([(number, queue_id) for number, queue_id, state in held if state is State.ACTIVE])
        return len(held)

    async def release(self, queue_ids: Iterable[str]) -> int:
        wanted, now = list(queue_ids), self._seconds()
        released = await self._database.call(lambda c: surgery.release(c, list(reading.find(c, wanted)), now))
        if released:
            self.wake()
        return len(released)

    async def flush(self, queue_ids: Iterable[str] | None = None, domain: str | None = None) -> int:
        wanted, now = None if queue_ids is None else list(queue_ids), self._seconds()
        count: int = await self._database.call(lambda c: len(surgery.flush(c, wanted, domain, now)))
        self.wake(flush=True)
        return count

    async def load(self, queue_id: str) -> QueueEntry | None:
        await self.flushed()
        try:
            stored = await self._database.read(reading.load_named, self._layout, queue_id, self._portion)
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
            while piece := await self._database.read(reading.list_state, state, after, _LIST_PIECE):
                for _, row in piece:
                    yield row
                after = piece[-1][0]

    # -- what tools have changed

    def _requested(self, requests: list[Request]) -> None:
        verbs = {verb for verb, _, _ in requests}
        gone = [(number, queue_id) for verb, number, queue_id in requests if verb == "deleted"]
        self._withdraw(gone + [(number, queue_id) for verb, number, queue_id in requests if verb == "withdrawn"])
        for number, queue_id in gone:
            if self._is_mine(number, queue_id):
                self._let_go(queue_id)
                self._withdrawn.discard(number)
        if "requeue" in verbs:
            Deferred.fromCoroutine(self._requeue())
        if verbs & {"due", "flush"}:
            self.wake("flush" in verbs)

    async def _requeue(self) -> None:
        try:
            await self._requeuing.run()
        except MailError as error:
            self._log.warning(f"cannot requeue now: {error}")
        except Exception:
            _faults.failure("cannot requeue")

    def _withdraw(self, rows: list[tuple[int, str]]) -> None:
        mine = [queue_id for number, queue_id in rows if self._is_mine(number, queue_id)]
        self._withdrawn.update(self._active[queue_id].number for queue_id in mine)
        if mine and self._consumer is not None:
            self._consumer.withdrawn(mine)

    def _is_mine(self, number: int, queue_id: str) -> bool:
        entry = self._active.get(queue_id)
        return entry is not None and entry.number == number

    def wake(self, flush: bool = False) -> None:
        """Tell the consumer that something may have become due."""
        if self._consumer is not None:
            self._consumer.due(flush)
