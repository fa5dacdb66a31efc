"""The database and its threads, as the reactor's side sees them: hand over jobs, await answers.

What is noted (``note``) is kept up to 20 ms, or until there is more of it or a job that asks something; what is called
(``call``) runs in the writer thread after everything told before; what is read (``read``) runs beside the writer. Knows no
messages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from mailer.message.status import TemporaryError
from mailer.queue.batch import Batch, Call, Insert, Notes
from mailer.queue.disk import Disk
from mailer.queue.failure import as_mail_error
from mailer.queue.layout import Layout
from mailer.queue.reader import Reader
from mailer.queue.recovery import Opened, open_store
from mailer.queue.writer import Writer

__all__ = ["Database", "thread_pool"]

_NOTE_SECONDS = 0.02
_MANY_NOTES = 32  # a new message takes so many along, since they spare a transaction that others would wait behind
_MOST_NOTES = 200
_IO_THREADS = 4

#: Verb, row number, queue id: what a tool has done.
Request = tuple[str, int, str]


def thread_pool(name: str) -> ThreadPool:
    """Threads for blocking work. They are daemons: a process may end without ``stop``."""
    pool = ThreadPool(0, _IO_THREADS, name)
    pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]
    return pool


class Database:
    """One store's database while a server owns it.

    :param reactor: IReactorTime and IReactorFromThreads.
    :param stored: told (in the reactor thread) of the Inserts of a batch that is over.
    :param freed: told (in the writer thread) of queue ids whose content files may go.
    :param requested: told (in the reactor thread) what tools have done.
    :param poll_seconds: how often to look for that.
    """

    def __init__(
        self,
        layout: Layout,
        reactor: Any,
        log: Any,
        disk: Disk,
        stored: Callable[[list[Insert]], None],
        freed: Callable[[list[str]], None],
        requested: Callable[[list[Request]], None],
        poll_seconds: float,
    ) -> None:
        self._layout = layout
        self._reactor = reactor
        self._log = log
        self._disk = disk
        self._stored = stored
        self._freed = freed
        self._requested = requested
        self._poll_seconds = poll_seconds
        self.pool = thread_pool("mailer-queue-read")
        self._reader = Reader(layout.database, self.in_thread)
        self._writer: Writer | None = None
        self._lock = -1
        self._notes: list[Any] = []
        self._notes_due = False

    @property
    def closed(self) -> bool:
        return self._writer is None

    async def start(self) -> Opened:
        """Open and recover. :raise: what ``open_store`` raises."""
        self.pool.start()
        try:
            opened: Opened = await self.in_thread(open_store, self._layout, self._disk)
        except BaseException:
            self.pool.stop()
            raise
        self._lock = opened.lock
        self._writer = Writer(
            opened.connection, self._disk, self._hand_back, self._look, self._complain, self._poll_seconds
        )
        self._writer.start()
        return opened

    async def stop(self) -> None:
        """Write what has been told so far, then close; everything after that is refused."""
        if self._writer is None:
            return
        self._flush_notes()
        writer, self._writer = self._writer, None
        writer.stop()
        await self.in_thread(writer.join)
        self._reader.close()
        self._disk.close(self._lock)
        self.pool.stop()

    # -- in the reactor thread

    def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Run something that may block."""
        return deferToThreadPool(self._reactor, self.pool, function, *arguments)

    async def read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """:return: ``function(connection, *arguments)``, run beside the writer on a read-only connection.
        :raise sqlite3.Error:"""
        return await self._reader.run(function, *arguments)

    def call(self, function: Callable[[sqlite3.Connection], Any]) -> Deferred[Any]:
        """Fires with ``function(connection)`` when that is committed. :raise TemporaryError: closed."""
        answer: Deferred[Any] = Deferred()
        self.put(Call(function, answer))
        return answer

    def put(self, job: Any) -> None:
        """Hand over a job at once, after everything noted; a new message leaves few notes behind: its commit is what a
        client waits for. :raise TemporaryError: closed."""
        if self._writer is None:
            raise TemporaryError("the mail queue is closed", "4.3.2", "Error: mail system is shutting down")
        if len(self._notes) >= _MANY_NOTES or not isinstance(job, Insert):
            self._flush_notes()
        self._writer.put(job)

    def note(self, job: Any) -> None:
        """Hand over a job soon, at the latest after 20 ms."""
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

    def _settled(self, inserts: list[Insert], calls: list[Call]) -> None:
        self._stored(inserts)
        for call in calls:
            if call.error is None:
                call.done.callback(call.result)
            else:
                call.done.errback(Failure(as_mail_error(call.error)))

    # -- in the writer thread

    def _hand_back(self, batch: Batch) -> None:
        """One wake-up of the reactor for the whole batch."""
        if batch.inserts or batch.calls:
            self._reactor.callFromThread(self._settled, batch.inserts, batch.calls)
        if batch.files:
            self._freed(batch.files)

    def _look(self, connection: sqlite3.Connection) -> None:
        """Another process has written: pick up what tools have left word of."""
        requests = connection.execute("SELECT id, verb, message, queue_id FROM request ORDER BY id").fetchall()
        if requests:
            connection.execute("DELETE FROM request WHERE id <= ?", (requests[-1][0],))
            self._reactor.callFromThread(self._requested, [request[1:] for request in requests])

    def _complain(self, text: str) -> None:
        self._reactor.callFromThread(self._log.warning, text)
