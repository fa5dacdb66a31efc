"""Stop at every step, look at what is left: docs/queue.rst says what must be true.

Two ways to die: the process is killed (all that was handed to the kernel survives) and the power fails (only what was synced
survives: the database as of the last durable commit, files and names that were synced; removals of files count as done).
"""

import contextlib
import functools
import os
import shutil
import threading

import pytest
from twisted.internet.defer import Deferred
from twisted.python.threadpool import ThreadPool

from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import Outcome
from mailer.queue.disk import Disk
from mailer.queue.store import SqliteQueue
from mailer.testing.log import RecordingLog
from mailer.testing.queue_contract import RecordingConsumer
from mailer.testing.threads import ThreadedClock

BIG = b"Subject: big\r\n\r\n" + b"x" * 70 * 1024 + b"\r\n"
SMALL = b"Subject: small\r\n\r\nhello\r\n"


class Stopped(BaseException):
    """Nothing happens any more."""


def _one_at_a_time(method):
    """So that the moment of death is one moment for all threads."""

    @functools.wraps(method)
    def locked(self, *arguments):
        with self.lock:
            return method(self, *arguments)

    return locked


class MortalDisk(Disk):
    """Dies at step ``last`` (counted from 1), before doing it; ``halfway`` does half of it if it is a write.

    ``steps`` lists what was done. ``synced`` are files whose content, and ``named`` those whose name, is on the disk;
    ``database`` is a copy of the database as of the last durable commit.
    """

    def __init__(self, reactor, root, spare, last=0, halfway=False):
        super().__init__()
        self.reactor = reactor
        self.root = root
        self.spare = spare
        self.last = last
        self.halfway = halfway
        self.steps = []
        self.born = False  # opening the store is one transaction of SQLite's, and not looked into
        self.dead = False
        self.synced = set()
        self.named = set()
        self.paths = {}
        self.made_durable = False
        self.awaited = ""
        self.unlinked = Deferred()
        self.lock = threading.RLock()

    def _step(self, name):
        if not self.born:
            return
        if not self.dead and len(self.steps) + 1 == self.last:
            self.dead = True
            self.reactor.callFromThread(lambda: None)
        elif not self.dead:
            self.steps.append(name)
            return
        raise Stopped

    @_one_at_a_time
    def create(self, path):
        self._step("create")
        descriptor = super().create(path)
        self.paths[descriptor] = path
        return descriptor

    @_one_at_a_time
    def write(self, descriptor, chunks):
        try:
            self._step("write")
        except Stopped:
            if self.halfway and len(self.steps) + 1 == self.last:
                content = b"".join(chunks)
                os.write(descriptor, content[: len(content) // 2])
            raise
        super().write(descriptor, chunks)

    @_one_at_a_time
    def sync(self, descriptor):
        self._step("sync")
        super().sync(descriptor)
        self.synced.add(self.paths[descriptor])

    @_one_at_a_time
    def sync_directory(self, path):
        self._step("sync directory")
        super().sync_directory(path)
        self.named.update(p for p in self.paths.values() if os.path.dirname(p) == path)

    @_one_at_a_time
    def close(self, descriptor):
        self._step("close")
        super().close(descriptor)

    @_one_at_a_time
    def unlink(self, path):
        self._step("unlink")
        super().unlink(path)
        if os.path.basename(path) == self.awaited:
            self.reactor.callFromThread(self.unlinked.callback, None)

    @_one_at_a_time
    def begin(self, connection, durable):
        self._step("begin durable" if durable else "begin")
        self.made_durable = durable
        super().begin(connection, durable)

    @_one_at_a_time
    def commit(self, connection):
        self._step("commit durable" if self.made_durable else "commit")
        super().commit(connection)
        if self.made_durable:
            self._save()

    @_one_at_a_time
    def commit_alone(self, connection, write):
        self._step("commit alone durable")
        super().commit_alone(connection, write)
        self._save()

    def _save(self):
        for suffix in ("", "-wal"):
            source = os.path.join(self.root, "queue.sqlite" + suffix)
            if os.path.exists(source):
                shutil.copy(source, self.spare)

    def cut_power(self, root):
        """Make a copied store what a power failure leaves of it."""
        for suffix in ("", "-wal", "-shm"):
            path = os.path.join(root, "queue.sqlite" + suffix)
            saved = os.path.join(self.spare, "queue.sqlite" + suffix)
            if os.path.exists(path):
                os.unlink(path)
            if os.path.exists(saved):
                shutil.copy(saved, path)
        for path in self.paths.values():
            copy = os.path.join(root, os.path.relpath(path, self.root))
            if not os.path.exists(copy):
                continue
            if path not in self.named:
                os.unlink(copy)
            elif path not in self.synced:
                os.truncate(copy, 0)


class Life:
    """One run of the scenario, and what its outside has been told."""

    def __init__(self, place, last=0, halfway=False):
        self.directory = place / "queue"
        spare = place / "spare"
        for directory in (self.directory, spare):
            directory.mkdir()
        self.reactor = ThreadedClock()
        self.disk = MortalDisk(self.reactor, str(self.directory / "mailer"), str(spare), last, halfway)
        self.offered = {}
        self.acknowledged = {}
        self.finished = set()
        self.queue = SqliteQueue(
            str(self.directory), self.reactor, lambda: 1_700_000_000.0, RecordingLog(), disk=self.disk, serial=1
        )
        self.queue.subscribe(RecordingConsumer())
        run = Deferred.fromCoroutine(self._scenario())
        run.addErrback(self._check_end)
        while not run.called and not self.disk.dead:
            self.reactor.turn()
        if not self.disk.dead:
            self.reactor.wait(run)

    def _check_end(self, failure):
        failure.trap(Stopped)

    async def _put(self, content):
        writer = self.queue.open(Envelope(sender="s@example.com"))
        self.offered[writer.queue_id] = content
        writer.recipient(Recipient("a@example.org"))
        writer.recipient(Recipient("b@example.org"))
        writer.write(content)
        queue_id = await writer.commit()
        self.acknowledged[queue_id] = content
        await self.queue.flushed()  # the consumer has been told by then
        return queue_id

    async def _scenario(self):
        queue = self.queue
        await queue.start()
        self.disk.born = True
        first = await self._put(SMALL)
        big = await self._put(BIG)
        aborted = queue.open(Envelope())
        aborted.write(BIG)
        aborted.abort()
        queue.record(first, [(1, Outcome.sent("ok")), (2, Outcome.deferred("later"))])
        queue.defer(first, 0.0)
        self.finished.add(big)  # from here on it may be gone, and may come again
        self.disk.awaited = big
        queue.remove(big)
        await queue.flushed()
        await self.disk.unlinked
        await self._put(SMALL)
        second = await self._put(BIG)
        queue.record(second, [(1, Outcome.bounced("no"))])
        await queue.flushed()
        await queue.stop()

    def survivors(self, copy, power_cut):
        """Queue id -> content of what a new server finds, after it has tidied."""
        with self.disk.lock:
            shutil.copytree(self.directory, copy)
            if power_cut:
                self.disk.cut_power(str(copy / "mailer"))
        log = RecordingLog()
        reactor = ThreadedClock()
        queue = SqliteQueue(str(copy), reactor, lambda: 1_700_000_000.0, log)
        reactor.finish(queue.start())
        found = {}

        async def collect():
            for entry in await queue.claim(1_700_000_000.0, 100):
                found[entry.queue_id] = b"".join([piece async for piece in entry.content.chunks()])

        reactor.finish(collect())
        reactor.finish(queue.stop())  # tidying is over then
        files = {name for _, _, names in os.walk(copy / "mailer" / "content") for name in names}
        assert files == {queue_id for queue_id, content in found.items() if content == BIG}
        assert log.lines == []
        return found


@pytest.fixture
def quiet(monkeypatch):
    """A writer thread that is stopped says nothing."""
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    monkeypatch.setattr(ThreadPool, "callInThread", _quiet(ThreadPool.callInThread))


def _quiet(call_in_thread):
    """What dies in a thread of the pool says nothing either."""

    def call(self, function, *arguments):
        def work():
            with contextlib.suppress(Stopped):
                function(*arguments)

        call_in_thread(self, work)

    return call


def whole_life(tmp_path):
    place = tmp_path / "whole"
    place.mkdir()
    return Life(place)


def test_the_scenario_takes_every_kind_of_step(tmp_path):
    life = whole_life(tmp_path)
    assert set(life.disk.steps) >= {
        "create", "write", "sync", "sync directory", "begin durable", "commit durable", "begin", "commit", "unlink", "close",
    }  # fmt: skip
    assert len(life.acknowledged) == 4


@pytest.mark.parametrize("power_cut", [False, True], ids=["killed", "power cut"])
def test_whatever_was_acknowledged_survives_each_step(tmp_path, quiet, power_cut):
    steps = whole_life(tmp_path).disk.steps
    for last in range(1, len(steps) + 1):
        for halfway in {False, steps[last - 1] == "write"}:
            place = tmp_path / f"{last}{halfway}"
            place.mkdir()
            life = Life(place, last, halfway)
            where = f"step {last}: {life.disk.steps[-1:]}"
            found = life.survivors(place / "copy", power_cut)
            lost = set(life.acknowledged) - set(found) - life.finished
            assert not lost, where
            for queue_id, content in found.items():
                assert content == life.offered[queue_id], where


def test_content_is_removed_only_when_the_message_is_gone_for_good(tmp_path):
    steps = whole_life(tmp_path).disk.steps
    removal = len(steps) - 1 - steps[::-1].index("unlink")
    assert "commit durable" in steps[:removal]
