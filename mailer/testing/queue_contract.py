"""What every provider of IQueue must do, as a test case to inherit from.

A subclass of ``QueueContract`` and unittest.TestCase (or a pytest class) provides ``make_queue()`` (a started, empty queue
whose clock is ``self.now``), ``finish(coroutine)`` (runs it to its end and gives its result) and, if it wants, ``setUp``.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from zope.interface.verify import verifyObject

from mailer.interfaces.queue import IContent, IQueue, IQueueEntry
from mailer.interfaces.sink import IMessageWriter
from mailer.message.envelope import Client, Envelope, Notify, Recipient
from mailer.message.status import Outcome

__all__ = ["QueueContract", "RecordingConsumer"]

CONTENT = b"Subject: contract\r\n\r\nhello\r\n"


class RecordingConsumer:
    """Takes what arrives as long as ``places`` last; remembers what it is told."""

    def __init__(self, places: int = 1000) -> None:
        self.places = places
        self.entries: list[Any] = []
        self.gone: list[str] = []
        self.calls: list[bool] = []

    def room(self) -> bool:
        return len(self.entries) < self.places

    def arrived(self, entry: Any) -> None:
        self.entries.append(entry)

    def withdrawn(self, queue_ids: list[str]) -> None:
        self.gone += queue_ids

    def due(self, flush: bool) -> None:
        self.calls.append(flush)


class QueueContract:
    """The suite."""

    now = 1_700_000_000.0

    def make_queue(self) -> Any:
        raise NotImplementedError

    def finish(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        raise NotImplementedError

    # -- means

    def queue(self, places: int = 1000, portion: int = 1000) -> tuple[Any, RecordingConsumer]:
        queue, consumer = self.make_queue(), RecordingConsumer(places)
        queue.subscribe(consumer, portion)
        return queue, consumer

    def put(self, queue: Any, *addresses: str, content: bytes = CONTENT, **envelope: Any) -> str:
        writer = queue.open(Envelope(**{"sender": "sender@example.com", **envelope}))
        for address in addresses or ("one@example.org",):
            writer.recipient(Recipient(address))
        writer.write(content)
        queue_id: str = self.finish(writer.commit())
        assert queue_id == writer.queue_id
        self.finish(queue.flushed())
        return queue_id

    def claim(self, queue: Any, **options: Any) -> list[Any]:
        entries: list[Any] = self.finish(queue.claim(self.now, options.pop("limit", 100), **options))
        return entries

    def states(self, queue: Any) -> dict[str, str]:
        async def collect() -> dict[str, str]:
            return {row.queue_id: row.state async for row in queue.listing()}

        found: dict[str, str] = self.finish(collect())
        return found

    def read(self, content: Any, start: int = 0) -> bytes:
        async def collect() -> bytes:
            pieces = [piece async for piece in content.chunks(start)]
            assert all(0 < len(piece) <= 65536 for piece in pieces)
            return b"".join(pieces)

        octets: bytes = self.finish(collect())
        return octets

    # -- the suite

    def test_provides_the_interfaces(self) -> None:
        queue, consumer = self.queue()
        assert verifyObject(IQueue, queue)
        writer = queue.open(Envelope())
        assert verifyObject(IMessageWriter, writer)
        writer.abort()
        self.put(queue)
        assert verifyObject(IQueueEntry, consumer.entries[0])
        assert verifyObject(IContent, consumer.entries[0].content)

    def test_a_message_arrives_as_it_was_written(self) -> None:
        queue, consumer = self.queue()
        envelope = Envelope(
            sender="caf\udce9@example.com",
            client=Client(
                "host.example.net", "192.0.2.7", "4711", "rev.example.net", "helo", "ESMTP", sasl_username="u"
            ),
            body="8BITMIME",
            smtputf8=True,
            ret="HDRS",
            envid="id+x",
            context="local",
            overrides=frozenset({"no_milters"}),
            arrival=self.now - 5,
        )
        writer = queue.open(envelope)
        writer.recipient(
            Recipient("a@example.org", "b@example.org", Notify.DELAY | Notify.FAILURE, "rfc822;b@example.org")
        )
        writer.recipient(Recipient("c@example.org"))
        writer.write(CONTENT[:3])
        writer.write(CONTENT[3:])
        self.finish(writer.commit())
        self.finish(queue.flushed())
        for entry in (consumer.entries[0], self.finish(queue.load(writer.queue_id))):
            assert entry.queue_id == writer.queue_id
            found = entry.envelope
            assert (found.sender, found.client, found.body) == (envelope.sender, envelope.client, "8BITMIME")
            assert (found.smtputf8, found.ret, found.envid, found.context) == (True, "HDRS", "id+x", "local")
            assert found.overrides == {"no_milters"}
            assert entry.arrival == self.now - 5
            assert entry.recipients == [
                Recipient("a@example.org", "b@example.org", Notify.DELAY | Notify.FAILURE, "rfc822;b@example.org", 1),
                Recipient("c@example.org", id=2),
            ]
            assert (entry.pending, entry.bounced, entry.attempts, entry.warned, entry.expired) == (
                2,
                0,
                0,
                False,
                False,
            )
            assert entry.content.size == entry.size == len(CONTENT)
            assert self.read(entry.content) == CONTENT
            assert self.read(entry.content, 10) == CONTENT[10:]

    def test_big_content_comes_back_in_pieces(self) -> None:
        queue, consumer = self.queue()
        content = CONTENT + b"".join(b"line %d\r\n" % number for number in range(50_000))
        self.put(queue, content=content)
        entry = consumer.entries[0]
        assert entry.content.size == len(content)
        assert self.read(entry.content) == content
        assert self.read(entry.content, 300_001) == content[300_001:]
        assert self.read(entry.content, len(content)) == b""

    def test_an_aborted_message_leaves_nothing(self) -> None:
        queue, consumer = self.queue()
        writer = queue.open(Envelope())
        writer.recipient(Recipient("a@example.org"))
        writer.write(CONTENT)
        writer.abort()
        writer.abort()
        self.finish(queue.flushed())
        assert not consumer.entries
        assert self.states(queue) == {}

    def test_abort_after_commit_is_harmless(self) -> None:
        queue, consumer = self.queue()
        writer = queue.open(Envelope())
        writer.recipient(Recipient("a@example.org"))
        writer.write(CONTENT)
        queue_id = self.finish(writer.commit())
        writer.abort()
        assert list(self.states(queue)) == [queue_id]

    def test_without_room_it_waits_as_incoming(self) -> None:
        queue, consumer = self.queue(places=1)
        first, second, third = self.put(queue), self.put(queue), self.put(queue)
        assert [entry.queue_id for entry in consumer.entries] == [first]
        assert self.states(queue) == {first: "active", second: "incoming", third: "incoming"}
        assert [entry.queue_id for entry in self.claim(queue, limit=1)] == [second]
        assert [entry.queue_id for entry in self.claim(queue)] == [third]
        assert self.claim(queue) == []

    def test_room_again_after_none(self) -> None:
        queue, consumer = self.queue(places=0)
        first = self.put(queue)
        consumer.places = 10
        self.put(queue)
        taken = [entry.queue_id for entry in consumer.entries + self.claim(queue)]
        assert sorted(taken) == sorted(set(taken)) and first in taken and len(taken) == 2

    def test_hold_on_arrival(self) -> None:
        queue, consumer = self.queue()
        queue_id = self.put(queue, hold="suspicious")
        assert not consumer.entries
        assert self.states(queue) == {queue_id: "hold"}
        assert self.claim(queue) == []
        assert self.finish(queue.release([queue_id, "NOSUCH"])) == 1
        assert consumer.calls == [False]
        assert [entry.queue_id for entry in self.claim(queue)] == [queue_id]

    def test_fates_of_recipients(self) -> None:
        queue, consumer = self.queue()
        queue_id = self.put(queue, "a@example.org", "b@example.org", "c@example.org", "d@example.org")
        deferred, bounced = Outcome.deferred("try later", "4.2.0"), Outcome.bounced("no such user", "5.1.1")
        queue.record(queue_id, [(1, Outcome.sent("ok")), (2, Outcome.deferred("busy"))])
        queue.record(queue_id, [(3, bounced), (2, deferred)])
        failures = self.finish(queue.failures(queue_id))
        assert [(recipient.address, outcome.status, outcome.text) for recipient, outcome in failures] == [
            ("b@example.org", "4.2.0", "try later"),
            ("c@example.org", "5.1.1", "no such user"),
        ]
        entry = self.finish(queue.load(queue_id))
        assert [recipient.id for recipient in entry.recipients] == [2, 4]
        assert (entry.pending, entry.bounced, entry.nrcpt) == (2, 1, 4)
        queue.defer(queue_id, self.now + 300)
        assert [recipient.id for recipient, _ in self.finish(queue.failures(queue_id))] == [2]
        entry = self.finish(queue.load(queue_id))
        assert (entry.pending, entry.bounced, entry.attempts) == (2, 0, 1)

    def test_outcomes_keep_what_a_notice_needs(self) -> None:
        queue, consumer = self.queue()
        queue_id = self.put(queue)
        outcome = Outcome.bounced(
            "host said: 550", "5.7.1", relay="mx[192.0.2.1]:25", remote_mta="mx", diagnostic="550 5.7.1"
        )
        queue.record(queue_id, [(1, outcome)])
        ((recipient, found),) = self.finish(queue.failures(queue_id))
        assert recipient.address == "one@example.org"
        assert (found.fate, found.status, found.text, found.relay, found.remote_mta, found.diagnostic) == (
            outcome.fate, "5.7.1", "host said: 550", "mx[192.0.2.1]:25", "mx", "550 5.7.1",
        )  # fmt: skip

    def test_deferral(self) -> None:
        queue, consumer = self.queue()
        late, early = self.put(queue), self.put(queue)
        assert self.finish(queue.next_attempt()) is None
        queue.defer(late, self.now + 20)
        queue.defer(early, self.now + 10, warned=True)
        assert self.finish(queue.next_attempt()) == self.now + 10
        assert self.claim(queue) == []
        self.now += 10
        assert self.claim(queue, deferred=False) == []
        (entry,) = self.claim(queue)
        assert (entry.queue_id, entry.attempts, entry.warned) == (early, 1, True)
        assert self.finish(queue.next_attempt()) == self.now + 10
        queue.defer(early, self.now + 5)
        self.now += 10
        entries = self.claim(queue)
        assert [entry.queue_id for entry in entries] == [early, late]
        assert [(entry.attempts, entry.warned) for entry in entries] == [(2, True), (1, False)]

    def test_claims_incoming_before_deferred(self) -> None:
        queue, consumer = self.queue(places=1)
        deferred = self.put(queue)
        incoming = self.put(queue)
        queue.defer(deferred, self.now - 100)
        assert [entry.queue_id for entry in self.claim(queue, incoming=False)] == [deferred]
        queue.defer(deferred, self.now - 100)
        assert [entry.queue_id for entry in self.claim(queue)] == [incoming, deferred]

    def test_removal(self) -> None:
        queue, consumer = self.queue()
        queue_id = self.put(queue, content=CONTENT * 10_000)
        queue.record(queue_id, [(1, Outcome.sent("ok"))])
        queue.remove(queue_id)
        queue.remove(queue_id)
        self.finish(queue.flushed())
        assert self.states(queue) == {}
        assert self.finish(queue.load(queue_id)) is None
        assert self.finish(queue.failures(queue_id)) == []
        assert self.finish(queue.recipients(queue_id, 0, 10)) == []
        queue.record(queue_id, [(1, Outcome.sent("ok"))])
        queue.defer(queue_id, self.now)
        assert self.claim(queue) == []

    def test_many_recipients_come_in_portions(self) -> None:
        queue, consumer = self.queue(portion=120)
        addresses = [f"r{number}@example.org" for number in range(1, 351)]
        queue_id = self.put(queue, *addresses)
        (entry,) = consumer.entries
        assert ([r.id for r in entry.recipients], entry.pending) == (list(range(1, 121)), 350)
        portion = self.finish(queue.recipients(queue_id, 120, 200))
        assert [(r.id, r.address) for r in portion] == [(n, f"r{n}@example.org") for n in range(121, 321)]
        assert [r.id for r in self.finish(queue.recipients(queue_id, 320, 200))] == list(range(321, 351))
        assert self.finish(queue.recipients(queue_id, 350, 200)) == []
        queue.record(queue_id, [(number, Outcome.sent("ok")) for number in range(1, 200)])
        queue.record(queue_id, [(201, Outcome.bounced("no")), (202, Outcome.deferred("later"))])
        assert [r.id for r in self.finish(queue.recipients(queue_id, 0, 3))] == [200, 202, 203]
        queue.defer(queue_id, self.now)
        (entry,) = self.claim(queue)
        assert ([r.id for r in entry.recipients][:3], len(entry.recipients), entry.pending) == (
            [200, 202, 203],
            120,
            150,
        )

    def test_hold_and_release(self) -> None:
        queue, consumer = self.queue(places=1)
        active, incoming = self.put(queue), self.put(queue)
        assert self.finish(queue.hold([active, incoming, "NOSUCH"])) == 2
        assert consumer.gone == [active]
        assert self.states(queue) == {active: "hold", incoming: "hold"}
        queue.record(active, [(1, Outcome.deferred("was under way"))])
        queue.defer(active, self.now + 1000)
        assert self.states(queue)[active] == "hold"
        assert self.finish(queue.hold([active])) == 0
        assert self.claim(queue) == []
        assert self.finish(queue.release([active])) == 1
        assert self.states(queue) == {active: "deferred", incoming: "hold"}
        assert [entry.queue_id for entry in self.claim(queue)] == [active]

    def test_flush(self) -> None:
        queue, consumer = self.queue()
        ids = [self.put(queue, f"x@{domain}") for domain in ("example.org", "Example.NET", "example.com")]
        for queue_id in ids:
            queue.defer(queue_id, self.now + 1000)
        assert self.finish(queue.flush(domain="EXAMPLE.net")) == 1
        assert [entry.queue_id for entry in self.claim(queue)] == [ids[1]]
        assert self.finish(queue.flush([ids[0], ids[1], "NOSUCH"])) == 1
        assert [entry.queue_id for entry in self.claim(queue)] == [ids[0]]
        assert self.finish(queue.flush()) == 1
        assert [entry.queue_id for entry in self.claim(queue)] == [ids[2]]
        assert consumer.calls == [True, True, True]

    def test_flush_by_domain_passes_over_finished_recipients(self) -> None:
        queue, consumer = self.queue()
        queue_id = self.put(queue, "a@done.example", "b@open.example")
        queue.record(queue_id, [(1, Outcome.sent("ok"))])
        queue.defer(queue_id, self.now + 1000)
        assert self.finish(queue.flush(domain="done.example")) == 0
        assert self.finish(queue.flush(domain="open.example")) == 1

    def test_listing(self) -> None:
        queue, consumer = self.queue()
        deferred = self.put(queue, "a@example.org", "b@example.org", "c@example.org", arrival=self.now - 60)
        active = self.put(queue, sender="")
        queue.record(deferred, [(1, Outcome.sent("ok")), (2, Outcome.deferred("connection refused"))])
        queue.defer(deferred, self.now + 100)

        async def collect() -> list[Any]:
            return [row async for row in queue.listing()]

        rows = self.finish(collect())
        assert [(row.queue_id, row.state, row.sender) for row in rows] == [
            (active, "active", ""),
            (deferred, "deferred", "sender@example.com"),
        ]
        assert rows[1].recipients == [("b@example.org", "connection refused"), ("c@example.org", "")]
        assert (rows[1].arrival, rows[1].size, rows[1].forced_expire) == (self.now - 60, len(CONTENT), False)
