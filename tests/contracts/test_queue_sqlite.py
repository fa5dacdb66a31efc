"""The durable store keeps the contract."""

import pytest

from mailer.queue.store import SqliteQueue
from mailer.testing.log import RecordingLog
from mailer.testing.queue_contract import QueueContract
from mailer.testing.threads import ThreadedClock


class TestSqliteQueue(QueueContract):
    @pytest.fixture(autouse=True)
    def _stores(self, tmp_path):
        self.now = QueueContract.now
        self.directory = tmp_path
        self.reactor = ThreadedClock()
        self.log = RecordingLog()
        self.queues = []
        yield
        for queue in self.queues:
            self.finish(queue.stop())
        self.reactor.advance(1)
        assert self.log.lines == []

    def make_queue(self):
        directory = self.directory / str(len(self.queues))
        directory.mkdir()
        queue = SqliteQueue(str(directory), self.reactor, lambda: self.now, self.log)
        self.finish(queue.start())
        self.queues.append(queue)
        return queue

    def finish(self, coroutine):
        return self.reactor.finish(coroutine)


class TestSqliteQueueWithoutCachedContent(TestSqliteQueue):
    """Content of active entries is never kept in memory: the same answers, read from the database."""

    def make_queue(self):
        queue = super().make_queue()
        queue._contents.left = 0
        return queue
