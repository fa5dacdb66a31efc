"""A queue in memory: everything that IQueue promises except surviving the process.

For tests of whatever writes to the queue or consumes it. Time and queue ids are arguments; nothing suspends unless a test
asks for it (``gate``), and failures are the test's to choose (``refusal``, ``failure``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from zope.interface import implementer

from mailer.interfaces.queue import IContent, IQueue, IQueueEntry
from mailer.interfaces.sink import IMessageWriter
from mailer.message.address import domain_of
from mailer.message.envelope import Envelope, Recipient
from mailer.message.listing import QueueListing
from mailer.message.queueid import QueueIds
from mailer.message.status import Fate, MailError, Outcome

__all__ = ["MemoryContent", "MemoryEntry", "MemoryQueue", "MemoryWriter"]

_PIECE = 65536


@implementer(IContent)
class MemoryContent:
    """Content that is at hand; ``inline`` can be withheld to make a consumer take the long way."""

    filed = False

    def __init__(self, content: bytes, inline: bool = True) -> None:
        self._content = content
        self.size = len(content)
        self.inline = content if inline else None

    async def chunks(self, start: int = 0) -> AsyncIterator[bytes]:
        for offset in range(start, self.size, _PIECE):
            yield self._content[offset : offset + _PIECE]


@implementer(IQueueEntry)
@dataclass(eq=False)
class MemoryEntry:
    """One message. ``everyone`` holds all its recipients, ``outcomes`` the last outcome of each recipient id."""

    queue_id: str
    envelope: Envelope
    content: Any
    size: int
    arrival: float
    everyone: list[Recipient]
    recipients: list[Recipient] = field(default_factory=list)
    attempts: int = 0
    warned: bool = False
    expired: bool = False
    state: str = "incoming"
    next_attempt: float = 0.0
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)

    @property
    def unfinished(self) -> list[Recipient]:
        return [recipient for recipient in self.everyone if recipient.id not in self.finished]

    @property
    def pending(self) -> int:
        return len(self.unfinished)

    @property
    def nrcpt(self) -> int:
        return len(self.everyone)

    @property
    def bounced(self) -> int:
        return sum(outcome.fate is Fate.BOUNCED for outcome in self.outcomes.values())


@implementer(IMessageWriter)
class MemoryWriter:
    """One message on its way into a MemoryQueue."""

    def __init__(self, queue: MemoryQueue, envelope: Envelope, producer: Any, queue_id: str) -> None:
        self._queue = queue
        self.envelope = envelope
        self.producer = producer
        self.queue_id = queue_id
        self.recipients: list[Recipient] = []
        self.chunks: list[bytes] = []
        self.finished = False

    def recipient(self, recipient: Recipient) -> None:
        self.recipients.append(recipient)

    def write(self, chunk: bytes) -> None:
        self.chunks.append(bytes(chunk))

    async def commit(self) -> str:
        self.finished = True
        return await self._queue._commit(self)

    def abort(self) -> None:
        if not self.finished:
            self.finished = True
            self._queue.aborted += 1


@implementer(IQueue)
class MemoryQueue:
    """The store in memory.

    Attributes for tests: ``entries`` (queue id -> MemoryEntry, in order of arrival), ``aborted`` (count), ``refusal`` (a
    MailError that ``open`` raises), ``failure`` (a MailError that ``commit`` raises), ``gate`` (called and awaited by
    ``commit`` before anything else).
    """

    def __init__(self, seconds: Callable[[], float], long_ids: bool = False) -> None:
        self._seconds = seconds
        self._ids = QueueIds(seconds, 0, long_ids)
        self.entries: dict[str, MemoryEntry] = {}
        self.aborted = 0
        self.refusal: MailError | None = None
        self.failure: MailError | None = None
        self.gate: Callable[[], Awaitable[Any]] | None = None
        self._consumer: Any = None
        self._portion = 1000

    # -- the sink

    def open(self, envelope: Envelope, producer: Any = None) -> MemoryWriter:
        if self.refusal is not None:
            raise self.refusal
        return MemoryWriter(self, envelope, producer, self._ids.next())

    async def _commit(self, writer: MemoryWriter) -> str:
        if self.gate is not None:
            await self.gate()
        if self.failure is not None:
            raise self.failure
        envelope = writer.envelope
        content = b"".join(writer.chunks)
        entry = MemoryEntry(
            writer.queue_id,
            envelope,
            MemoryContent(content),
            len(content),
            envelope.arrival or self._seconds(),
            [replace(recipient, id=number) for number, recipient in enumerate(writer.recipients, 1)],
            state="hold" if envelope.hold else "incoming",
        )
        self.entries[entry.queue_id] = entry
        if entry.state == "incoming" and self._consumer is not None and self._consumer.room():
            self._consumer.arrived(self._activated(entry))
        return entry.queue_id

    # -- for the consumer

    def subscribe(self, consumer: Any, recipients: int = 1000) -> None:
        self._consumer = consumer
        self._portion = recipients

    def _activated(self, entry: MemoryEntry) -> MemoryEntry:
        entry.state = "active"
        entry.recipients = entry.unfinished[: self._portion]
        return entry

    async def claim(self, now: float, limit: int, deferred: bool = True, incoming: bool = True) -> list[MemoryEntry]:
        waiting: list[MemoryEntry] = []
        if incoming:
            waiting += [entry for entry in self.entries.values() if entry.state == "incoming"]
        if deferred:
            due = [e for e in self.entries.values() if e.state == "deferred" and e.next_attempt <= now]
            waiting += sorted(due, key=lambda entry: entry.next_attempt)
        return [self._activated(entry) for entry in waiting[:limit]]

    async def recipients(self, queue_id: str, after: int, limit: int) -> list[Recipient]:
        entry = self.entries.get(queue_id)
        return [] if entry is None else [r for r in entry.unfinished if r.id > after][:limit]

    async def next_attempt(self) -> float | None:
        return min((e.next_attempt for e in self.entries.values() if e.state == "deferred"), default=None)

    def record(self, queue_id: str, outcomes: Iterable[tuple[int, Outcome]]) -> None:
        entry = self.entries.get(queue_id)
        if entry is None:
            return
        for number, outcome in outcomes:
            if outcome.fate is Fate.DEFERRED:
                entry.outcomes[number] = outcome
                continue
            entry.finished.add(number)
            entry.outcomes.pop(number, None)
            if outcome.fate is Fate.BOUNCED:
                entry.outcomes[number] = outcome

    async def failures(self, queue_id: str) -> list[tuple[Recipient, Outcome]]:
        entry = self.entries.get(queue_id)
        if entry is None:
            return []
        return [(r, entry.outcomes[r.id]) for r in entry.everyone if r.id in entry.outcomes]

    def remove(self, queue_id: str) -> None:
        self.entries.pop(queue_id, None)

    def defer(self, queue_id: str, next_attempt: float, warned: bool | None = None) -> None:
        entry = self.entries.get(queue_id)
        if entry is None:
            return
        entry.attempts += 1
        entry.outcomes = {n: outcome for n, outcome in entry.outcomes.items() if outcome.fate is Fate.DEFERRED}
        entry.next_attempt = next_attempt
        if warned is not None:
            entry.warned = warned
        if entry.state == "active":
            entry.state = "deferred"

    async def flushed(self) -> None:
        """Nothing is ever outstanding."""

    # -- for administrators

    async def hold(self, queue_ids: Iterable[str]) -> int:
        moved = [e for e in self._named(queue_ids) if e.state in ("incoming", "active", "deferred")]
        withdrawn = [entry.queue_id for entry in moved if entry.state == "active"]
        for entry in moved:
            entry.state = "hold"
        if withdrawn and self._consumer is not None:
            self._consumer.withdrawn(withdrawn)
        return len(moved)

    async def release(self, queue_ids: Iterable[str]) -> int:
        moved = [entry for entry in self._named(queue_ids) if entry.state == "hold"]
        for entry in moved:
            entry.state = "deferred"
            entry.next_attempt = self._seconds()
        self._wake(moved, flush=False)
        return len(moved)

    async def flush(self, queue_ids: Iterable[str] | None = None, domain: str | None = None) -> int:
        chosen = self.entries.values() if queue_ids is None else self._named(queue_ids)
        moved = [entry for entry in chosen if entry.state == "deferred"]
        if domain is not None:
            wanted = domain.lower()
            moved = [e for e in moved if any(domain_of(r.address) == wanted for r in e.unfinished)]
        for entry in moved:
            entry.next_attempt = min(entry.next_attempt, self._seconds())
        self._wake(moved, flush=True)
        return len(moved)

    def _named(self, queue_ids: Iterable[str]) -> list[MemoryEntry]:
        return [self.entries[queue_id] for queue_id in queue_ids if queue_id in self.entries]

    def _wake(self, moved: list[MemoryEntry], flush: bool) -> None:
        if self._consumer is not None and (moved or flush):
            self._consumer.due(flush)

    async def load(self, queue_id: str) -> MemoryEntry | None:
        entry = self.entries.get(queue_id)
        if entry is not None:
            entry.recipients = entry.unfinished[: self._portion]
        return entry

    async def listing(self) -> AsyncIterator[QueueListing]:
        for state in ("active", "incoming", "deferred", "hold", "corrupt"):
            for entry in [entry for entry in self.entries.values() if entry.state == state]:
                yield QueueListing(
                    entry.queue_id,
                    state,
                    entry.arrival,
                    entry.size,
                    entry.envelope.sender,
                    entry.expired,
                    [
                        (r.address, entry.outcomes[r.id].text if r.id in entry.outcomes else "")
                        for r in entry.unfinished
                    ],
                )
