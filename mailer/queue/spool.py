"""Content too big for its row: streamed to a file by I/O threads, synced, then named by the row.

Crash rule: the file is complete and synced, and so is its directory, before the row that names it is written. Whatever
crashes before leaves a file without a row, which ``tidy`` removes: a living writer holds a lock on its file until the row is
durable, so a file that can be locked and has no row belongs to nobody.

This module knows files and threads, not rows; a process without the database can write content with it as well.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Container
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailer.queue.disk import Disk, is_same_file
from mailer.queue.layout import Layout
from mailer.queue.size import SizeCounter

__all__ = ["ContentFile", "Spool", "tidy"]

#: A producer is paused when this much waits to be written, and resumed when no more than a quarter of it is left.
PAUSE_AT = 262144


class Spool:
    """Makes content files.

    :param reactor: IReactorFromThreads.
    :param pool: a started ThreadPool for blocking work.
    """

    def __init__(self, layout: Layout, reactor: Any, pool: Any, disk: Disk) -> None:
        self.layout = layout
        self.reactor = reactor
        self.pool = pool
        self.disk = disk
        #: Names of files that other processes have written and whose rows are on their way; changed under the lock, under
        #: which ``tidy`` looks.
        self.expected: set[str] = set()
        self.lock = Lock()

    def expect(self, queue_id: str, octets: int) -> None:
        """A file that another process has written is about to get its row: not to be tidied away until ``arrived``. Blocks.

        :raise OSError: it is not there, or not of that size.
        """
        with self.lock:
            if os.stat(self.layout.content_file(queue_id), follow_symlinks=False).st_size != octets:
                raise OSError(errno.EIO, f"content of {queue_id} is incomplete")
            self.expected.add(queue_id)

    def arrived(self, queue_id: str) -> None:
        """Its row is durable, or will never be written."""
        self.expected.discard(queue_id)

    def create(self, queue_id: str, producer: Any) -> ContentFile:
        """Begin a content; the file itself is made in a thread."""
        return ContentFile(self, self.layout.content_file(queue_id), producer)

    def unlink(self, queue_ids: list[str], log: Any) -> None:
        """Remove files whose rows are gone, in a thread. A file that cannot be removed is logged, and tidied later."""

        def work() -> None:
            for queue_id in queue_ids:
                path = self.layout.content_file(queue_id)
                try:
                    self.disk.unlink(path)
                except OSError as error:
                    self.reactor.callFromThread(log.warning, f"remove {path}: {error.strerror}")

        self.pool.callInThread(work)


class ContentFile:
    """One file being written. Methods are called in the reactor thread; at most one I/O thread works on it at a time."""

    def __init__(self, spool: Spool, path: str, producer: Any) -> None:
        self._spool = spool
        self._path = path
        self._producer = producer
        self._paused = False
        self._waiting = 0  # octets handed over and not yet written
        self._synced: Deferred[None] | None = None
        self._lock = Lock()  # guards the four below
        self._chunks: list[bytes] = []
        self._orders: list[Callable[[], None]] = []
        self._busy = False
        self._error: BaseException | None = None
        # The I/O thread's own:
        self._descriptor = -1
        self._counter = SizeCounter()

    @property
    def size(self) -> int:
        """Postfix's message size; right once ``sync`` has come back."""
        return self._counter.size

    def write(self, chunks: list[bytes]) -> None:
        """Take more content. Dropped if an earlier write has failed: ``sync`` tells."""
        if self._error is not None:
            return
        self._waiting += sum(map(len, chunks))
        self._start(chunks, None)
        if self._waiting > PAUSE_AT and not self._paused and self._producer is not None:
            self._paused = True
            self._producer.pause()

    def sync(self) -> Deferred[None]:
        """Fires when everything is on the disk, or fails with the OSError that prevented it. The lock is kept."""
        self._synced = Deferred()
        self._start([], self._sync)
        return self._synced

    def close(self) -> None:
        """The row is durable: give up the lock."""
        self._start([], self._close)

    def discard(self) -> None:
        """Remove the file, whatever state it is in."""
        self._start([], self._discard)

    # -- in the reactor thread

    def _start(self, chunks: list[bytes], order: Callable[[], None] | None) -> None:
        with self._lock:
            self._chunks += chunks
            if order is not None:
                self._orders.append(order)
            if self._busy:
                return
            self._busy = True
        self._spool.pool.callInThread(self._work)

    def _written(self, octets: int) -> None:
        self._waiting -= octets
        if self._paused and self._waiting <= PAUSE_AT // 4:
            self._paused = False
            self._producer.resume()

    def _answer(self, error: BaseException | None) -> None:
        waiting, self._synced = self._synced, None
        if waiting is None:
            return
        if error is None:
            waiting.callback(None)
        else:
            waiting.errback(Failure(error))

    # -- in an I/O thread

    def _work(self) -> None:
        while True:
            with self._lock:
                chunks, self._chunks = self._chunks, []
                orders, self._orders = self._orders, []
                if not chunks and not orders:
                    self._busy = False
                    return
            if chunks:
                self._attempt(lambda chunks=chunks: self._append(chunks))  # type: ignore[misc]
                self._spool.reactor.callFromThread(self._written, sum(map(len, chunks)))
            for order in orders:
                order()

    def _attempt(self, step: Callable[[], None]) -> None:
        """Run a step unless one has failed; whatever goes wrong is kept for ``sync`` to tell."""
        if self._error is None:
            try:
                step()
            except Exception as error:
                self._error = error

    def _append(self, chunks: list[bytes]) -> None:
        if self._descriptor < 0:
            self._descriptor = self._spool.disk.create(self._path)
        self._spool.disk.write(self._descriptor, chunks)
        for chunk in chunks:
            self._counter.feed(chunk)

    def _sync(self) -> None:
        self._attempt(lambda: self._spool.disk.sync(self._descriptor))
        self._attempt(lambda: self._spool.disk.sync_directory(os.path.dirname(self._path)))
        self._spool.reactor.callFromThread(self._answer, self._error)

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            self._attempt(lambda: self._spool.disk.close(descriptor))

    def _discard(self) -> None:
        if self._descriptor < 0:
            return
        # Unlinked while locked, so that nobody can take it for an orphan in between.
        try:
            self._spool.disk.unlink(self._path)
        except OSError as error:
            self._error = error  # an orphan now, and tidied as such
        self._close()


def tidy(
    layout: Layout,
    disk: Disk,
    known: Container[str],
    has_row: Callable[[str], bool],
    lock: AbstractContextManager[Any] | None = None,
) -> int:
    """Remove content files that no row names and no living writer holds. Blocks.

    :param known: queue ids whose rows named a file a moment ago.
    :param has_row: whether one has such a row now, or will have it soon.
    :param lock: held while a file is looked at and removed.
    :return: how many were removed.
    """
    removed = 0
    guard = lock or nullcontext()
    with os.scandir(layout.contents) as directories:
        for directory in directories:
            if directory.is_dir(follow_symlinks=False):
                for name in os.listdir(directory.path):
                    if name not in known:
                        with guard:
                            removed += _remove_orphan(os.path.join(directory.path, name), name, disk, has_row)
    return removed


def _remove_orphan(path: str, name: str, disk: Disk, has_row: Callable[[str], bool]) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Asked under the lock: its writer may have finished, and let go, a moment ago.
        if has_row(name) or not is_same_file(descriptor, path):
            return False
        disk.unlink(path)
        return True
    except BlockingIOError:
        return False  # being written
    finally:
        os.close(descriptor)
