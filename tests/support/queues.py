"""A durable queue in a temporary directory, driven without a reactor, and the tools that work on it."""

import sys

from mailer.message.envelope import Envelope, Recipient
from mailer.queue.store import SqliteQueue
from mailer.testing.log import RecordingLog
from mailer.testing.queue_contract import RecordingConsumer
from mailer.testing.threads import ThreadedClock

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


class Tools:
    """Runs commands on the queue of a Bench, with a main.cf of their own."""

    def __init__(self, directory, queue_directory, capfd):
        self.directory = directory
        self.log = directory / "mail.log"
        self._capfd = capfd
        self._queue_directory = queue_directory
        self.settings()

    def settings(self, text=""):
        """Write main.cf; ``text`` goes on top of what every test needs."""
        (self.directory / "main.cf").write_text(
            f"compatibility_level = 3.6\nqueue_directory = {self._queue_directory}\n"
            f"maillog_file = {self.log}\nmaillog_file_prefixes = {self.directory}\n{text}\n"
        )
        (self.directory / "master.cf").write_text("smtp inet n - n - - smtpd\n")

    def run(self, main, *arguments):
        """:return: exit status, standard output, standard error."""
        self._capfd.readouterr()
        status = main(["-c", str(self.directory), *arguments])
        sys.stdout.flush()
        out, error = self._capfd.readouterr()
        return status, out, error
