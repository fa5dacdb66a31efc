"""Synced, then the reply: nothing tells a client that a message is taken before it is on the disk."""

import threading

from twisted.internet.defer import Deferred

from mailer.message.envelope import Envelope, Recipient
from mailer.queue.disk import Disk


class SlowDisk(Disk):
    """Notes what begins and what has ended; a commit or sync waits until the test lets it go on."""

    def __init__(self):
        super().__init__()
        self.events = []
        self.gates = {"commit": threading.Event(), "sync": threading.Event(), "sync_directory": threading.Event()}
        self.reached = {name: threading.Event() for name in self.gates}
        self.armed = False

    def _through(self, name):
        if self.armed:
            self.events.append(f"{name} begins")
            self.reached[name].set()
            assert self.gates[name].wait(20)

    def _done(self, name):
        if self.armed:
            self.events.append(f"{name} has ended")

    def commit(self, connection):
        self._through("commit")
        super().commit(connection)
        self._done("commit")

    def commit_alone(self, connection, write):
        self._through("commit")
        super().commit_alone(connection, write)
        self._done("commit")

    def sync(self, descriptor):
        self._through("sync")
        super().sync(descriptor)
        self._done("sync")

    def sync_directory(self, path):
        self._through("sync_directory")
        super().sync_directory(path)
        self._done("sync_directory")


def offer(bench, queue, disk, content):
    writer = queue.open(Envelope(sender="s@example.com"))
    writer.recipient(Recipient("r@example.org"))
    bench.run(queue.flushed())
    disk.armed = True
    writer.write(content)
    reply = Deferred.fromCoroutine(writer.commit())
    reply.addCallback(lambda queue_id: disk.events.append("reply"))
    return reply


def test_a_small_message(bench):
    disk = SlowDisk()
    queue, consumer = bench.queue(disk=disk)
    reply = offer(bench, queue, disk, b"a: b\r\n\r\n")
    assert disk.reached["commit"].wait(20)
    assert not reply.called and not consumer.entries
    disk.gates["commit"].set()
    bench.reactor.wait(reply)
    assert disk.events == ["commit begins", "commit has ended", "reply"]
    assert len(consumer.entries) == 1


def test_a_big_message(bench):
    disk = SlowDisk()
    queue, consumer = bench.queue(disk=disk)
    # The directory of the hash may have to be made first, which syncs its parent.
    disk.gates["sync_directory"].set()
    reply = offer(bench, queue, disk, b"a: b\r\n\r\n" + b"x" * 100_000 + b"\r\n")
    assert disk.reached["sync"].wait(20)
    assert not reply.called and "commit begins" not in disk.events
    disk.gates["sync"].set()
    while not disk.reached["commit"].is_set():
        bench.reactor.turn()
        disk.reached["commit"].wait(0.05)
    assert not reply.called
    disk.gates["commit"].set()
    bench.reactor.wait(reply)
    last_steps = [event for event in disk.events if not event.startswith("sync_directory begins")][-5:]
    assert last_steps == [
        "sync has ended", "sync_directory has ended", "commit begins", "commit has ended", "reply",
    ]  # fmt: skip
