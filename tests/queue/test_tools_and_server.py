"""Tools and a running server over the same queue: each notices what the other does."""

import sqlite3

import pytest

from mailer.message.status import Outcome
from mailer.queue import surgery
from mailer.queue.direct import DirectQueue, NoQueue
from mailer.queue.schema import State

LIVE = (State.HOLD, State.INCOMING, State.ACTIVE, State.DEFERRED)


@pytest.fixture
def direct(bench):
    """A DirectQueue opened when it is first asked for."""
    opened = []

    def open_it():
        if not opened:
            opened.append(DirectQueue(bench.directory))
        return opened[0]

    yield open_it
    for queue in opened:
        queue.close()


def test_there_is_no_queue_before_the_first_server(bench):
    with pytest.raises(NoQueue):
        DirectQueue(bench.directory)


def test_running_or_not(bench, direct):
    queue, _ = bench.queue()
    assert direct().running
    bench.stop(queue)
    assert not direct().running


def test_an_active_message_that_is_deleted_is_withdrawn(bench, direct):
    queue, consumer = bench.queue()
    big, other = bench.put(queue, content=b"x" * 100_000 + b"\r\n"), bench.put(queue)
    assert list(direct().operate(surgery.delete, [big, "NOSUCH"], LIVE, ("deleted",))) == [big]
    bench.reactor.until(lambda: consumer.gone)
    assert consumer.gone == [big]
    # What was under way ends as usual, and changes nothing any more.
    queue.record(big, [(1, Outcome.sent("ok"))])
    queue.defer(big, bench.now)
    queue.remove(big)
    assert bench.states(queue) == {other: "active"}
    assert bench.run(queue.claim(bench.now, 10)) == []
    assert not sqlite3.connect(queue._layout.database).execute("SELECT * FROM status").fetchall()
    with pytest.raises(FileNotFoundError):
        open(queue._layout.content_file(big)).close()


def test_an_active_message_that_is_held_is_withdrawn_and_keeps_its_progress(bench, direct):
    queue, consumer = bench.queue()
    queue_id = bench.put(queue, "a@example.org", "b@example.org")
    assert list(direct().operate(surgery.hold, None, LIVE, ("withdrawn",))) == [queue_id]
    bench.reactor.until(lambda: consumer.gone)
    # Released before the consumer has let go: not handed out a second time.
    list(direct().operate(lambda c, found: surgery.release(c, found, bench.now), [queue_id], LIVE, ("due",)))
    bench.reactor.until(lambda: consumer.calls)
    assert bench.run(queue.claim(bench.now, 10)) == []
    queue.record(queue_id, [(1, Outcome.sent("ok"))])
    queue.defer(queue_id, bench.now - 1)
    (entry,) = bench.run(queue.claim(bench.now, 10))
    assert [recipient.address for recipient in entry.recipients] == ["b@example.org"]


def test_release_and_flush_wake_the_server(bench, direct):
    queue, consumer = bench.queue()
    held, deferred = bench.put(queue, hold="why"), bench.put(queue)
    queue.defer(deferred, bench.now + 1000)
    bench.run(queue.flushed())
    list(direct().operate(lambda c, found: surgery.release(c, found, bench.now), None, (State.HOLD,), ("due",)))
    bench.reactor.until(lambda: consumer.calls)
    assert consumer.calls == [False]
    assert [entry.queue_id for entry in bench.run(queue.claim(bench.now, 10))] == [held]
    list(direct().operate(lambda c, found: surgery.make_due(c, found, bench.now), None, (State.DEFERRED,), ()))
    direct().wake("flush")
    bench.reactor.until(lambda: len(consumer.calls) > 1)
    assert consumer.calls == [False, True]
    assert [entry.queue_id for entry in bench.run(queue.claim(bench.now, 10))] == [deferred]


def test_expired_messages_say_so_when_they_are_claimed(bench, direct):
    queue, _ = bench.queue()
    queue_id = bench.put(queue)
    queue.defer(queue_id, bench.now)
    bench.run(queue.flushed())
    assert list(direct().operate(surgery.expire, None, LIVE, ())) == [queue_id]
    assert list(direct().operate(surgery.expire, None, LIVE, ())) == []
    (entry,) = bench.run(queue.claim(bench.now, 10))
    assert entry.expired


def test_states_limit_what_is_done(bench, direct):
    queue, _ = bench.queue(places=1)
    active, incoming = bench.put(queue), bench.put(queue)
    assert list(direct().operate(surgery.delete, None, (State.INCOMING,), ("deleted",))) == [incoming]
    assert list(direct().operate(surgery.delete, [active], (State.HOLD,), ("deleted",))) == []


def test_listing_and_loading(bench, direct):
    queue, _ = bench.queue()
    queue_id = bench.put(queue, *(f"r{number}@example.org" for number in range(250)))
    queue.record(queue_id, [(1, Outcome.sent("ok")), (101, Outcome.deferred("later")), (250, Outcome.bounced("no"))])
    bench.run(queue.flushed())
    (listing,) = direct().listing()
    assert (listing.queue_id, listing.state, len(listing.recipients)) == (queue_id, "active", 248)
    assert ("r100@example.org", "later") in listing.recipients
    stored = direct().load(queue_id)
    assert [recipient.id for recipient in stored.recipients] == list(range(1, 251))
    assert direct().done(stored) == {1, 250}
    assert direct().load("NOSUCH") is None


def test_check_tells_damage(bench, direct):
    queue, _ = bench.queue()
    bad = bench.put(queue)
    assert list(direct().check()) == []
    sqlite3.connect(queue._layout.database, isolation_level=None).execute("DELETE FROM content")
    assert list(direct().check()) == [f"{bad}: content is missing or cut short"]


def test_changes_of_a_server_that_died_are_no_news_for_the_next(bench, direct):
    queue, _ = bench.queue()
    queue_id = bench.put(queue)
    bench.stop(queue)
    list(direct().operate(surgery.hold, None, LIVE, ("withdrawn",)))
    queue, consumer = bench.queue()
    bench.run(queue.flushed())
    assert bench.states(queue) == {queue_id: "hold"}
    assert consumer.gone == []
