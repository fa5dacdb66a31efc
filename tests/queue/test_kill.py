"""kill -9 while it writes, three times over the same queue: everything acknowledged is there, and whole."""

import subprocess
import sys
import time

from mailer.testing.queue_contract import RecordingConsumer

WRITER = """
import os, sys, time
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from mailer.message.envelope import Envelope, Recipient
from mailer.queue.store import SqliteQueue
from mailer.testing.log import RecordingLog

class Consumer:
    def room(self): return True
    def arrived(self, entry): pass
    def due(self, flush): pass

async def write(number):
    while True:
        message = queue.open(Envelope("s@example.com"))
        message.recipient(Recipient("r@example.org"))
        line = message.queue_id.encode() + b"\\r\\n"
        message.write(b"Subject: x\\r\\n\\r\\n")
        for _ in range(1 if number % 5 else 10):
            message.write(line * 1000)
        os.write(1, (await message.commit() + "\\n").encode())

async def run():
    await queue.start()
    queue.subscribe(Consumer())
    for number in range(20):
        Deferred.fromCoroutine(write(number))

queue = SqliteQueue(sys.argv[1], reactor, time.time, RecordingLog())
reactor.callWhenRunning(lambda: Deferred.fromCoroutine(run()))
reactor.run()
"""


def write_and_kill(directory, seconds):
    """:return: queue ids that were acknowledged before the end."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, directory], stdout=subprocess.PIPE)
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    rest, _ = process.communicate(timeout=20)
    lines = (first + rest).split(b"\n")
    return [line.decode() for line in lines[:-1]]


def test_killed_again_and_again(bench):
    acknowledged = []
    for seconds in (0.1, 0.15, 0.2):
        acknowledged += write_and_kill(bench.directory, seconds)
    assert len(acknowledged) == len(set(acknowledged)) > 30
    queue, consumer = bench.queue()
    assert isinstance(consumer, RecordingConsumer)
    entries = {entry.queue_id: entry for entry in bench.run(queue.claim(bench.now, 1_000_000))}
    assert set(acknowledged) <= set(entries)
    for queue_id, entry in entries.items():
        head, _, body = bench.read(entry.content).partition(b"\r\n\r\n")
        assert head == b"Subject: x"
        assert body == (queue_id.encode() + b"\r\n") * (body.count(b"\n"))
        assert len(body) in (15_000, 150_000)
    assert bench.log.lines == []
