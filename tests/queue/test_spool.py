"""Streaming big content: back-pressure, bounded memory, and twenty at once."""

import os
import threading

from twisted.internet.defer import Deferred

from mailer.message.envelope import Envelope, Recipient
from mailer.queue.disk import Disk
from mailer.queue.spool import PAUSE_AT

CHUNK = b"y" * 62 + b"\r\n"
PIECE = CHUNK * 1024  # 64 KiB


class GatedDisk(Disk):
    """Writes nothing until it may; notes how much waits at most."""

    def __init__(self):
        super().__init__()
        self.gate = threading.Event()
        self.written = 0

    def write(self, descriptor, chunks):
        assert self.gate.wait(20)
        super().write(descriptor, chunks)
        self.written += sum(map(len, chunks))


class Producer:
    """Writes pieces as long as it is not paused."""

    def __init__(self, pieces):
        self.left = pieces
        self.paused = False
        self.pauses = 0
        self.offered = 0
        self.writer = None

    def pause(self):
        self.paused = True
        self.pauses += 1

    def resume(self):
        self.paused = False
        self.run()

    def run(self):
        while self.left and not self.paused:
            self.left -= 1
            self.offered += len(PIECE)
            self.writer.write(PIECE)


def start(queue, pieces):
    producer = Producer(pieces)
    producer.writer = queue.open(Envelope(), producer)
    producer.writer.recipient(Recipient("r@example.org"))
    producer.run()
    return producer


def test_a_slow_disk_holds_the_producer_up(bench):
    disk = GatedDisk()
    queue, consumer = bench.queue(disk=disk)
    producer = start(queue, 100)
    assert producer.paused
    assert producer.offered <= PAUSE_AT + len(PIECE)
    disk.gate.set()
    while producer.left:
        bench.reactor.turn()
        assert producer.offered - disk.written <= PAUSE_AT + 2 * len(PIECE)
    bench.run(producer.writer.commit())
    bench.run(queue.flushed())
    assert bench.read(consumer.entries[0].content) == PIECE * 100
    assert producer.pauses > 1


def test_twenty_at_once_cost_a_few_megabytes(bench):
    disk = GatedDisk()
    queue, consumer = bench.queue(disk=disk)
    producers = [start(queue, 60) for _ in range(20)]
    assert sum(producer.offered for producer in producers) <= 20 * (PAUSE_AT + len(PIECE))
    disk.gate.set()
    while any(producer.left for producer in producers):
        bench.reactor.turn()
    replies = [Deferred.fromCoroutine(producer.writer.commit()) for producer in producers]
    for reply in replies:
        bench.reactor.wait(reply)
    bench.run(queue.flushed())
    assert [entry.content.size for entry in consumer.entries] == [60 * len(PIECE)] * 20
    assert [entry.content.inline for entry in consumer.entries] == [None] * 20


def test_a_message_that_fails_lets_its_producer_go_on(bench):
    class Full(Disk):
        def write(self, descriptor, chunks):
            raise OSError(28, "No space left on device")

    queue, _ = bench.queue(disk=Full())
    producer = start(queue, 100)
    while producer.left:
        bench.reactor.turn()
    failed = []
    Deferred.fromCoroutine(producer.writer.commit()).addErrback(failed.append)
    bench.reactor.until(lambda: failed)
    assert str(failed[0].value.reply) == "452 4.3.1 Insufficient system storage"


def test_exactly_64_kib_stay_in_the_database(bench):
    queue, consumer = bench.queue()
    for extra in (b"", b"\r\n"):
        bench.put(queue, content=PIECE + extra)
    assert [entry.filed for entry in consumer.entries] == [False, True]
    assert [bench.read(entry.content) for entry in consumer.entries] == [PIECE, PIECE + b"\r\n"]


def test_abort_while_the_disk_is_slow(bench):
    disk = GatedDisk()
    queue, _ = bench.queue(disk=disk)
    producer = start(queue, 3)
    producer.writer.abort()
    producer.writer.write(PIECE)
    disk.gate.set()
    bench.stop(queue)
    assert [name for _, _, names in os.walk(queue._layout.contents) for name in names] == []
