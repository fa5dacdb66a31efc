"""A store of its own for each test, driven without a reactor."""

import pytest

from mailer.message.envelope import Envelope, Recipient
from mailer.queue.store import SqliteQueue
from mailer.testing.log import RecordingLog
from mailer.testing.queue_contract import RecordingConsumer
from mailer.testing.threads import ThreadedClock

BIG = b"Subject: big\r\n\r\n" + b"x" * 70 * 1024 + b"\r\n"
SMALL = b"Subject: small\r\n\r\nhello\r\n"


class Bench:
    """Queues over one directory, one at a time or several; ``run`` drives a coroutine to its end."""

    def __init__(self, directory):
        self.directory = str(directory)
        self.now = 1_700_000_000.0
        self.reactor = ThreadedClock()
        self.log = RecordingLog()
        self.queues = []

    def queue(self, places=1000, subscribe=True, **options):
        options.setdefault("poll_seconds", 0.01)
        queue = SqliteQueue(self.directory, self.reactor, lambda: self.now, self.log, **options)
        self.run(queue.start())
        self.queues.append(queue)
        consumer = RecordingConsumer(places)
        if subscribe:
            queue.subscribe(consumer)
        return queue, consumer

    def run(self, coroutine):
        return self.reactor.finish(coroutine)

    def put(self, queue, *addresses, content=SMALL, **envelope):
        writer = queue.open(Envelope(**{"sender": "s@example.com", **envelope}))
        for address in addresses or ("r@example.org",):
            writer.recipient(Recipient(address))
        writer.write(content)
        queue_id = self.run(writer.commit())
        self.run(queue.flushed())
        return queue_id

    def stop(self, queue):
        self.queues.remove(queue)
        self.run(queue.stop())

    def states(self, queue):
        async def collect():
            return {row.queue_id: row.state async for row in queue.listing()}

        return self.run(collect())

    def read(self, content):
        async def collect():
            return b"".join([piece async for piece in content.chunks()])

        return self.run(collect())


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    for queue in list(bench.queues):
        bench.stop(queue)
