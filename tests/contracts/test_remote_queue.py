"""The queue behind a call keeps the contract of the queue; what dies on the way leaves nothing behind."""

import os

import pytest
from twisted.internet.defer import Deferred

from mailer.ipc.client import Client
from mailer.ipc.server import CallServer
from mailer.message.envelope import Envelope, Recipient
from mailer.message.queueid import LANES
from mailer.message.status import MailError
from mailer.queue.database import thread_pool
from mailer.queue.disk import Disk
from mailer.queue.layout import Layout
from mailer.queue.remote import QueueService, RemoteQueue
from mailer.queue.space import Space
from mailer.queue.spool import Spool
from mailer.queue.store import SqliteQueue
from mailer.testing.log import RecordingLog
from mailer.testing.network import MemoryNetwork
from mailer.testing.queue_contract import QueueContract, RecordingConsumer
from mailer.testing.threads import ThreadedClock

PATH = "mailer/private/qmgr"
SMALL = b"Subject: small\r\n\r\nx\r\n"
BIG = b"Subject: big\r\n\r\n" + b"y" * 70 + b"\r\n" * 50000


class Reactor(MemoryNetwork, ThreadedClock):
    """A network in memory and threads."""

    def __init__(self):
        MemoryNetwork.__init__(self)
        threads = ThreadedClock()
        self._patience, self._calls = threads._patience, threads._calls

    def wait(self, deferred):
        results = []
        deferred.addBoth(results.append)
        self.settle()
        while not results:
            self.turn()
            self.settle()
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]


class Home:
    """The store, with its sink behind a connection."""

    def __init__(self, store, remote, server):
        self.store, self.remote, self.server = store, remote, server

    def open(self, envelope, producer=None):
        return self.remote.open(envelope, producer)

    def __getattr__(self, name):
        return getattr(self.store, name)


def remote_queue(reactor, directory, now, lane=2):
    layout, disk = Layout(str(directory)), Disk()
    spool = Spool(layout, reactor, thread_pool("test"), disk)
    spool.pool.start()
    space = Space(lambda: reactor.in_thread, lambda: 0.0, RecordingLog(), 0, 0)
    space._measuring = True  # asks the disk for nothing
    return RemoteQueue(Client(reactor, PATH, "qmgr"), spool, space, now, lane)


class TestRemoteQueue(QueueContract):
    @pytest.fixture(autouse=True)
    def _stores(self, tmp_path):
        self.now = QueueContract.now
        self.directory = tmp_path
        self.reactor = Reactor()
        self.log = RecordingLog()
        self.queues = []
        self.remotes = []
        yield
        for remote in self.remotes:
            remote._client.close()
            remote._spool.pool.stop()
        for queue in self.queues:
            self.finish(queue.stop())
        self.reactor.settle()
        assert self.log.lines == []

    def make_queue(self):
        directory = self.directory / str(len(self.queues))
        directory.mkdir()
        store = SqliteQueue(str(directory), self.reactor, lambda: self.now, self.log)
        self.finish(store.start())
        self.queues.append(store)
        server = self.reactor.listeners[PATH] = CallServer(self.reactor, QueueService(store).verbs)
        remote = remote_queue(self.reactor, directory, lambda: self.now)
        self.remotes.append(remote)
        return Home(store, remote, server)

    def finish(self, coroutine):
        return self.reactor.finish(coroutine)

    # -- and beyond it

    def files(self):
        return [name for _, _, names in os.walk(self.directory / "0/mailer/content") for name in names]

    def write(self, home, content):
        writer = home.open(Envelope("s@example.org"))
        writer.recipient(Recipient("r@example.org"))
        writer.write(content)
        return writer

    def lose(self, home):
        for caller in list(home.server.callers):
            caller.transport.abortConnection()
        self.reactor.settle()

    def commit(self, writer):
        ended = []
        Deferred.fromCoroutine(writer.commit()).addBoth(ended.append)
        return ended

    def until(self, condition):
        self.reactor.settle()
        while not condition():
            self.reactor.turn()
            self.reactor.settle()

    @pytest.mark.parametrize("content", [SMALL, BIG])
    def test_a_lost_queue_manager_is_a_temporary_failure(self, content):
        home = self.make_queue()
        hanging = []
        home.store.insert = hanging.append
        ended = self.commit(self.write(home, content))
        self.until(lambda: hanging)
        self.lose(home)
        self.until(lambda: ended)
        error = ended[0].value
        assert isinstance(error, MailError) and error.reply.code == 451
        assert error.reply.text == "Error: queue file write error"
        # Its file belongs to nobody, and is removed when the queue manager is there again.
        home.store.spool.expected.clear()  # as a new one knows nothing
        self.reactor.settle()
        self.reactor.advance(1)
        self.until(lambda: not self.files())

    def test_content_of_a_process_that_died_is_removed_when_it_has_gone(self):
        home = self.make_queue()
        home.remote._client.start()
        writer = self.write(home, BIG)
        self.until(self.files)
        descriptor = writer.file._descriptor
        self.until(lambda: writer.file._descriptor >= 0 or descriptor >= 0)
        os.close(writer.file._descriptor)  # as the kernel does for the dead
        writer.file._descriptor = -1
        home.remote._client.introductions.clear()
        self.lose(home)
        self.until(lambda: not self.files())

    def test_content_of_the_living_stays_while_others_die(self):
        home = self.make_queue()
        writer = self.write(home, BIG)
        self.until(self.files)
        self.finish(home.tidy())
        assert self.files()
        queue_id = self.finish(writer.commit())
        assert self.files() == [queue_id]
        self.finish(home.tidy())
        assert self.files() == [queue_id]

    def test_a_file_that_is_not_there_is_refused(self):
        home = self.make_queue()
        writer = self.write(home, BIG)
        self.finish_sync(writer)
        os.unlink(self.directory / "0/mailer/content" / Layout("").content_file(writer.queue_id).split("content/")[1])
        with pytest.raises(MailError):
            self.finish(writer.commit())
        consumer = RecordingConsumer()
        home.subscribe(consumer)
        assert self.finish(home.claim(self.now, 10)) == []

    def finish_sync(self, writer):
        self.reactor.wait(writer.file.sync())

    @pytest.mark.parametrize(
        "arguments",
        [
            ["../../etc/passwd", 1.0, 5, 5, False, 1, '{"sender":"s","client":[]}', ["[]"]],
            ["ABC", 1.0, 5, 5, False, 1, "nonsense", ["[]"]],
            ["ABC", 1.0, 5, 5, False, 1000, '{"sender":"s","client":[]}', ["[]"]],
            ["ABC", "x", 5, 5, False, 1, '{"sender":"s","client":[]}', ["[]"]],
            ["ABC"],
        ],
    )
    def test_nonsense_gets_no_row(self, arguments):
        home = self.make_queue()
        ended = []
        home.remote._client.call("queue", *arguments).addBoth(ended.append)
        self.until(lambda: ended)
        assert isinstance(ended[0].value, Exception)
        assert self.finish(home.claim(self.now, 10)) == []

    def test_one_id_is_one_message(self):
        home = self.make_queue()
        home.store.insert = lambda message: None
        writer = self.write(home, SMALL)
        self.commit(writer)
        self.until(lambda: home.remote._client.outstanding and home.server.callers)
        other = self.write(home, SMALL)
        other.queue_id = writer.queue_id
        ended = self.commit(other)
        self.until(lambda: ended)
        assert ended[0].value.reply.temporary


def test_ids_of_processes_never_meet(tmp_path):
    reactor = Reactor()
    queues = [remote_queue(reactor, tmp_path, lambda: 1e9, lane) for lane in (1, 2, 3)]
    made = [queue._ids.next() for queue in queues for _ in range(2000)]
    store = SqliteQueue(str(tmp_path), reactor, lambda: 1e9, RecordingLog(), lanes=LANES)
    made += [store._ids.next() for _ in range(2000)]
    assert len(set(made)) == len(made)
    for queue in queues:
        queue._spool.pool.stop()
