"""The in-memory queue keeps the contract."""

from mailer.testing.queue import MemoryQueue
from mailer.testing.queue_contract import QueueContract
from mailer.testing.tables import answer


class TestMemoryQueue(QueueContract):
    def make_queue(self):
        return MemoryQueue(lambda: self.now)

    def finish(self, coroutine):
        return answer(coroutine)
