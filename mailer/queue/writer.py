"""The one thread that writes: whatever waits becomes one transaction (group commit).

While a commit waits for the disk, the next batch gathers by itself. When commits are slow (over 1 ms) and the last batch held
more than one new message, the thread also waits a little after the first one, up to 30 % of the mean commit time and 2 ms,
for the sessions that the last commit has just set free. Answers go back to the reactor by one wake-up for each batch.

A batch that fails is rolled back: its new messages are refused (after a try one by one, if it is not storage that
fails), what was noted of others is kept and written with the next one.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from mailer.queue.batch import Batch, Insert
from mailer.queue.disk import Disk
from mailer.queue.failure import concerns_all

__all__ = ["Writer"]

_GATHER_SECONDS = 0.002
_GATHER_SHARE = 0.3
_SLOW_COMMIT = 0.001
#: At most so many jobs in one transaction, so that the first of them does not wait for ever.
_MOST_JOBS = 1000


class Writer:
    """Owns the connection. ``put`` is called in the reactor thread, ``settled`` and ``changed`` in the writer's.

    :param settled: called with each batch that is over: its inserts and calls bear their errors, ``files`` name what to
        unlink. :param changed: called with the connection when another process has changed the database, in no transaction.
    :param complain: called with text when something cannot be written, at most once a minute.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        disk: Disk,
        settled: Callable[[Batch], None],
        changed: Callable[[sqlite3.Connection], None],
        complain: Callable[[str], None],
        poll_seconds: float = 1.0,
    ) -> None:
        self._connection = connection
        self._disk = disk
        self._settled = settled
        self._changed = changed
        self._complain = complain
        self._poll = poll_seconds
        self._jobs: SimpleQueue[Any] = SimpleQueue()
        self._kept = Batch()
        self._mean_commit = 0.0
        self._last_inserts = 0
        self._version = -1
        self._looked = 0.0
        self._complained = 0.0
        self._thread = Thread(target=self._run, name="mailer-queue-writer", daemon=True)
        self.put = self._jobs.put  #: hand over a job; never waits

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, close the database, end. The thread is gone soon after; ``join`` waits for that."""
        self._jobs.put(None)

    def join(self) -> None:
        self._thread.join()

    # -- in the writer thread

    def _run(self) -> None:
        going = True
        while going:
            batch, going = self._gather()
            if batch:
                self._process(batch)
            if going and time.monotonic() - self._looked >= self._poll:
                self._look()
        self._close()

    def _gather(self) -> tuple[Batch, bool]:
        """The next batch (empty: nothing came within the poll interval), and whether to go on after it."""
        batch, self._kept = self._kept, Batch()
        try:
            job = self._jobs.get(timeout=self._poll)
        except Empty:
            return batch, True
        if self._last_inserts > 1 and self._mean_commit > _SLOW_COMMIT:
            time.sleep(min(_GATHER_SECONDS, _GATHER_SHARE * self._mean_commit))
        for _ in range(_MOST_JOBS):
            if job is None:
                return batch, False
            job.enter(batch)
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return batch, True
        job.enter(batch) if job is not None else self._jobs.put(None)
        return batch, True

    def _process(self, batch: Batch) -> None:
        error = self._transaction(batch)
        if error is not None:
            self._recover(batch, error)
        self._last_inserts = len(batch.inserts)
        self._settled(batch)

    def _transaction(self, batch: Batch) -> Exception | None:
        try:
            if batch.alone:
                started = time.perf_counter()
                self._disk.commit_alone(self._connection, batch.write)
            else:
                self._disk.begin(self._connection, batch.durable)
                batch.write(self._connection)
                if batch.calls:
                    batch.call(self._connection)
                started = time.perf_counter()
                self._disk.commit(self._connection)
        except Exception as error:
            self._disk.rollback(self._connection)
            return error
        if batch.durable:
            self._mean_commit += 0.2 * (time.perf_counter() - started - self._mean_commit)
        return None

    def _recover(self, batch: Batch, error: Exception) -> None:
        """Nothing of the batch was written: refuse what can be refused, keep the rest for the next."""
        self._trouble(f"mail queue: {error}")
        everybody = concerns_all(error)
        one_by_one = not everybody and len(batch.inserts) + len(batch.noted) > 1
        if everybody:
            self._kept = batch.notes()
        else:
            self._write_singly(batch)
        batch.drop_notes()
        for call in batch.calls:
            call.error = error
        for insert in batch.inserts:
            insert.error = self._alone(insert) if one_by_one else error

    def _write_singly(self, batch: Batch) -> None:
        """One note that cannot be written must not keep the others from it for ever."""
        for note in batch.single_notes():
            error = self._transaction(note)
            if error is None:
                self._settled(note)
            elif concerns_all(error):
                for job in note.noted:
                    job.enter(self._kept)
            else:
                self._complain(f"mail queue: a note is lost, its delivery may be repeated: {error}")

    def _trouble(self, text: str) -> None:
        now = time.monotonic()
        if now - self._complained >= 60:
            self._complained = now
            self._complain(text)

    def _alone(self, insert: Insert) -> Exception | None:
        batch = Batch()
        batch.inserts.append(insert)
        return self._transaction(batch)

    def _look(self) -> None:
        """Whether another process has written since the last look (a counter in shared memory tells)."""
        self._looked = time.monotonic()
        try:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                self._changed(self._connection)
                self._version = version
        except sqlite3.Error as error:
            self._trouble(f"mail queue: {error}")

    def _close(self) -> None:
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            self._complain(f"mail queue: {error}")
        self._connection.close()
