"""postsuper -r: through the cleaning chain again, or anew as it is."""

import os

from mailer.message.envelope import Envelope
from mailer.message.status import Outcome, TemporaryError
from mailer.queue import surgery
from mailer.queue.direct import DirectQueue
from mailer.queue.schema import State
from mailer.testing.queue import MemoryQueue
from mailer.testing.queue_contract import RecordingConsumer

LIVE = (State.HOLD, State.INCOMING, State.ACTIVE, State.DEFERRED)
BIG = b"Subject: x\r\n\r\n" + b"y" * 100_000 + b"\r\n"


def requeue(bench):
    direct = DirectQueue(bench.directory)
    done = list(direct.operate(surgery.requeue, None, LIVE, ("withdrawn", "requeue")))
    direct.close()
    return done


def prepared(bench, content=b"Subject: x\r\n\r\n"):
    queue, _ = bench.queue(subscribe=False)
    queue_id = bench.put(queue, "a@example.org", "b@example.org", content=content, hold="why", context="local")
    return queue, queue_id


def test_through_the_chain(bench):
    queue, queue_id = prepared(bench, BIG)
    chain = MemoryQueue(lambda: bench.now)
    queue.requeue_through(chain, lambda queue_id: b"Received: again " + queue_id.encode() + b"\r\n")
    queue.subscribe(RecordingConsumer())
    assert requeue(bench) == [queue_id]
    bench.reactor.until(lambda: chain.entries)
    bench.run(queue.flushed())
    (entry,) = chain.entries.values()
    assert bench.read(entry.content) == b"Received: again " + entry.queue_id.encode() + b"\r\n" + BIG
    assert [recipient.address for recipient in entry.everyone] == ["a@example.org", "b@example.org"]
    envelope: Envelope = entry.envelope
    assert (envelope.sender, envelope.context, envelope.hold) == ("s@example.com", "local", "")
    assert envelope.overrides == {"no_milters"}
    assert bench.log.lines == [f"info {entry.queue_id}: uid={os.geteuid()} from=<s@example.com> orig_id={queue_id}"]
    bench.reactor.until(lambda: bench.states(queue) == {})


def test_a_chain_that_cannot_take_it_now_is_asked_again(bench):
    queue, queue_id = prepared(bench)
    chain = MemoryQueue(lambda: bench.now)
    chain.failure = TemporaryError("not now")
    queue.requeue_through(chain, lambda queue_id: b"")
    queue.subscribe(RecordingConsumer())
    requeue(bench)
    bench.reactor.until(lambda: any("cannot requeue now" in line for line in bench.log.lines))
    assert bench.states(queue) == {queue_id: "maildrop"}
    chain.failure = None
    bench.stop(queue)
    queue, _ = bench.queue(subscribe=False)
    queue.requeue_through(chain, lambda queue_id: b"")
    queue.subscribe(RecordingConsumer())
    bench.reactor.until(lambda: chain.entries)
    bench.reactor.until(lambda: bench.states(queue) == {})


def test_recipients_that_are_done_stay_done(bench):
    queue, consumer = bench.queue()
    chain = MemoryQueue(lambda: bench.now)
    queue.requeue_through(chain, lambda queue_id: b"")
    queue_id = bench.put(queue, "a@example.org", "b@example.org")
    requeue(bench)
    bench.reactor.until(lambda: consumer.gone)
    bench.run(queue.flushed())
    # A delivery is still under way: the message waits for its end.
    assert not chain.entries and bench.states(queue) == {queue_id: "maildrop"}
    queue.record(queue_id, [(1, Outcome.sent("ok"))])
    queue.defer(queue_id, bench.now)
    bench.reactor.until(lambda: chain.entries)
    (entry,) = chain.entries.values()
    assert [recipient.address for recipient in entry.everyone] == ["b@example.org"]


def test_without_a_chain_it_starts_anew(bench):
    queue, consumer = bench.queue()
    queue_id = bench.put(queue, "a@example.org", "b@example.org")
    queue.record(queue_id, [(1, Outcome.sent("ok")), (2, Outcome.deferred("later"))])
    queue.defer(queue_id, bench.now + 1000, warned=True)
    bench.run(queue.flushed())
    bench.now += 500
    requeue(bench)
    bench.reactor.until(lambda: consumer.calls)
    (entry,) = bench.run(queue.claim(bench.now, 10))
    assert (entry.queue_id, entry.arrival, entry.attempts, entry.warned) == (queue_id, bench.now, 0, False)
    assert [recipient.address for recipient in entry.recipients] == ["b@example.org"]
    assert bench.run(queue.failures(queue_id)) == []
