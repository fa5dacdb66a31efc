"""The writer thread: group commit, notes that cannot be written, looking for what tools have done."""

import time

from twisted.internet.defer import Deferred

from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import Outcome
from mailer.queue.disk import Disk


class CountingDisk(Disk):
    """Counts commits and takes its time for durable ones, as a disk that flushes does."""

    def __init__(self, seconds=0.0):
        super().__init__()
        self.seconds = seconds
        self.durable_commits = 0
        self.commits = 0
        self._is_durable = False

    def begin(self, connection, durable):
        self._is_durable = durable
        super().begin(connection, durable)

    def commit(self, connection):
        super().commit(connection)
        self.commits += 1
        if self._is_durable:
            self.durable_commits += 1
            time.sleep(self.seconds)

    def commit_alone(self, connection, write):
        super().commit_alone(connection, write)
        self.commits += 1
        self.durable_commits += 1
        time.sleep(self.seconds)


async def write(queue, messages):
    for _ in range(messages):
        writer = queue.open(Envelope())
        writer.recipient(Recipient("r@example.org"))
        writer.write(b"x\r\n")
        await writer.commit()


def test_messages_that_wait_together_are_committed_together(bench):
    disk = CountingDisk(0.003)
    queue, consumer = bench.queue(disk=disk)
    writers = [Deferred.fromCoroutine(write(queue, 5)) for _ in range(20)]
    for writer in writers:
        bench.reactor.wait(writer)
    assert len(consumer.entries) == 100
    assert disk.durable_commits <= 20


def test_fates_and_removals_are_not_synced_and_share_a_transaction(bench):
    disk = CountingDisk()
    queue, consumer = bench.queue(disk=disk)
    ids = [bench.put(queue) for _ in range(10)]
    durable, commits = disk.durable_commits, disk.commits
    for queue_id in ids:
        queue.record(queue_id, [(1, Outcome.sent("ok"))])
        queue.remove(queue_id)
    bench.run(queue.flushed())
    assert (disk.durable_commits - durable, disk.commits - commits) == (0, 1)


def test_many_notes_do_not_wait_for_the_clock(bench):
    queue, consumer = bench.queue()
    bench.reactor.wait(Deferred.fromCoroutine(write(queue, 250)))
    bench.run(queue.flushed())
    for entry in consumer.entries[:200]:
        queue.remove(entry.queue_id)
    assert not queue._database._notes


def test_a_message_leaves_few_notes_behind_and_takes_many_along(bench):
    disk = CountingDisk()
    queue, consumer = bench.queue(disk=disk)
    bench.reactor.wait(Deferred.fromCoroutine(write(queue, 50)))
    bench.run(queue.flushed())
    durable, commits = disk.durable_commits, disk.commits
    queue.remove(consumer.entries[0].queue_id)
    bench.reactor.wait(Deferred.fromCoroutine(write(queue, 1)))
    assert len(queue._database._notes) == 1
    for entry in consumer.entries[1:40]:
        queue.remove(entry.queue_id)
    bench.reactor.wait(Deferred.fromCoroutine(write(queue, 1)))
    assert not queue._database._notes
    bench.run(queue.flushed())
    assert disk.durable_commits - durable == 2
    assert disk.commits - commits <= 4
    assert len(bench.states(queue)) == 12


def test_a_note_that_cannot_be_written_does_not_hold_up_the_others(bench):
    queue, _ = bench.queue()
    bad, good = bench.put(queue), bench.put(queue)
    queue.record(bad, [(1, Outcome.bounced(b"octets are no text"))])
    queue.record(good, [(1, Outcome.bounced("no"))])
    queue.defer(bad, bench.now + 10)
    bench.reactor.advance(0.02)
    fourth = queue.open(Envelope())
    fourth.write(b"x\r\n")
    assert bench.run(fourth.commit()) == fourth.queue_id
    bench.run(queue.flushed())
    assert len(bench.run(queue.failures(good))) == 1
    assert bench.states(queue)[bad] == "deferred"
    assert any("a note is lost, its delivery may be repeated" in line for line in bench.log.lines)
    bench.log.lines.clear()


def test_a_call_that_fails_leaves_nothing_and_the_others_alone(bench):
    queue, _ = bench.queue()

    def fail(connection):
        connection.execute("UPDATE message SET attempts = 77")
        raise ValueError("no")

    queue_id = bench.put(queue)
    failed = []
    queue._database.call(fail).addErrback(failed.append)
    worked = queue._database.call(lambda connection: connection.execute("SELECT attempts FROM message").fetchone()[0])
    assert bench.reactor.wait(worked) == 0
    assert "ValueError" in str(failed[0].value)
    assert bench.run(queue.load(queue_id)).attempts == 0
