"""Which messages become active, and when the store is asked."""

import pytest
from twisted.internet.defer import Deferred

from mailer.interfaces.context import Context
from mailer.message.status import Outcome, TemporaryError
from mailer.schedule.dispatch import TransportEntry
from mailer.schedule.limits import limits
from mailer.testing.tables import answer


def counted(queue):
    """Count the store's claims."""
    calls = []
    original = queue.claim

    async def claim(now, limit, deferred=True, incoming=True):
        entries = await original(now, limit, deferred=deferred, incoming=incoming)
        calls.append((limit, deferred, len(entries)))
        return entries

    queue.claim = claim
    return calls


def test_no_more_messages_than_the_active_limit(world):
    one = world(qmgr_message_active_limit="10")
    one.smtp.hold = True
    sent = [one.send("b@y.test") for _ in range(30)]
    assert one.qmgr.status().messages == 10
    assert [one.state(queue_id) for queue_id in sent].count("incoming") == 20
    most = 0
    while one.smtp.open:
        one.smtp.end()
        most = max(most, one.qmgr.status().messages)
    assert most == 10
    assert {one.state(queue_id) for queue_id in sent} == {"gone"}
    assert [request.queue_id for request in one.smtp.requests] == sent


def test_limits_may_change(world):
    one = world(qmgr_message_active_limit="2", queue_run_delay="1000s", minimal_backoff_time="1000s")
    one.smtp.fate = lambda request, recipient: Outcome.deferred("later")
    waiting = one.send("d@y.test")
    one.smtp.fate = lambda request, recipient: Outcome.sent("ok")
    one.smtp.hold = True
    for _ in range(5):
        one.send("b@y.test")
    assert one.qmgr.status().messages == 2
    one.settings = one.settings.with_overrides({"qmgr_message_active_limit": "4", "queue_run_delay": "10s"})
    context = Context(settings=one.settings, reactor=one.clock, seconds=one.clock.seconds, log=one.log)
    entries = {"smtp": TransportEntry(one.smtp, one.log, limits(one.settings, "smtp", 100, one.log.warning))}
    one.qmgr.reconfigure(context, one.addressing, entries, one.reporter)
    assert one.qmgr.status().messages == 4
    while one.smtp.open:
        one.smtp.end()
    assert one.state(waiting) == "deferred"
    one.clock.advance(1010)
    assert one.qmgr.status().messages == 1


def test_an_active_limit_of_one(world):
    one = world(qmgr_message_active_limit="1")
    one.smtp.hold = True
    sent = [one.send("b@y.test") for _ in range(3)]
    for _ in sent:
        assert one.qmgr.status().messages == 1
        one.smtp.end()
    assert {one.state(queue_id) for queue_id in sent} == {"gone"}


def test_new_mail_and_deferred_mail_share_the_room(world):
    one = world(qmgr_message_active_limit="100")
    one.smtp.fate = lambda request, recipient: Outcome.deferred("later")
    old = [one.send("b@y.test") for _ in range(300)]
    one.smtp.fate = lambda request, recipient: Outcome.sent("ok")
    one.smtp.hold = True
    blockers = [one.send("c@z.test") for _ in range(100)]
    new = [one.send("b@y.test") for _ in range(300)]
    one.smtp.requests.clear()
    one.clock.advance(320)
    for _ in blockers:
        one.smtp.end()
    active = [queue_id for queue_id, entry in one.queue.entries.items() if entry.state == "active"]
    assert 90 <= len(active) <= 100
    assert len([queue_id for queue_id in active if queue_id in set(old)]) >= 30
    assert len([queue_id for queue_id in active if queue_id in set(new)]) >= 30


def test_a_restart_with_many_deferred_messages_that_are_not_due_reads_none(world):
    one = world(start=False)
    for number in range(5000):
        queue_id = one.send("b@y.test")
        one.queue.entries[queue_id].state = "deferred"
        one.queue.entries[queue_id].next_attempt = 1e6 + 1000 + number / 100
    calls = counted(one.queue)
    answer(one.qmgr.start())
    assert [found for *_, found in calls] == [0, 0]
    one.pass_time(990)
    assert sum(found for *_, found in calls) == 0
    one.pass_time(20)
    one.pass_time(310)
    assert sum(found for *_, found in calls) == 5000
    assert max(limit for limit, *_ in calls) <= 200
    assert one.queue.entries == {}


def test_a_restart_with_many_due_messages_claims_in_batches(world):
    one = world(start=False)
    for _ in range(1000):
        one.queue.entries[one.send("b@y.test")].state = "deferred"
    calls = counted(one.queue)
    answer(one.qmgr.start())
    assert [found for _, deferred, found in calls if deferred] == [200] * 5 + [0]
    assert len(one.smtp.requests) == 1000


def test_a_store_that_fails_is_asked_again(world):
    one = world(start=False)
    queue_id = one.send("b@y.test")
    original = one.queue.claim

    async def broken(*arguments, **keywords):
        raise TemporaryError("database is locked")

    one.queue.claim = broken
    answer(one.qmgr.start())
    assert one.lines() == ["warning cannot read the queue: database is locked"]
    one.queue.claim = original
    one.clock.advance(10)
    assert one.state(queue_id) == "gone"


def test_mail_turned_away_while_a_claim_is_under_way_is_not_forgotten(world):
    one = world(start=False, qmgr_message_active_limit="1")
    gates = []
    original = one.queue.claim

    async def slow(now, limit, deferred=True, incoming=True):
        entries = await original(now, limit, deferred=deferred, incoming=incoming)
        gates.append(Deferred())
        await gates[-1]
        return entries

    one.queue.claim = slow
    answer(one.qmgr.start())
    first, second = one.send("a@y.test"), one.send("b@y.test")
    assert one.state(first) == "gone"
    one.smtp.hold = True
    third, fourth = one.send("a@y.test"), one.send("b@y.test")
    while gates:
        gates.pop(0).callback(None)
    one.smtp.hold = False
    one.smtp.end()
    while gates:
        gates.pop(0).callback(None)
    assert {one.state(queue_id) for queue_id in (first, second, third, fourth)} == {"gone"}


def test_release_from_hold(world):
    one = world()
    queue_id = one.send("b@y.test", hold="yes")
    assert one.state(queue_id) == "hold"
    answer(one.queue.release([queue_id]))
    assert one.state(queue_id) == "gone"


def test_a_message_put_on_hold_while_active(world):
    one = world(processes=1)
    one.smtp.hold = True
    queue_id = one.send("a@y.test", "b@z.test", "c@x.test")
    other = one.send("d@x.test")
    answer(one.queue.hold([queue_id]))
    one.smtp.end()
    entry = one.queue.entries[queue_id]
    assert [recipient.address for recipient in entry.unfinished] == ["b@z.test", "c@x.test"]
    assert entry.state == "hold"
    assert [request.queue_id for request in one.smtp.requests] == [queue_id, other]
    one.smtp.end()
    one.smtp.hold = False
    answer(one.queue.release([queue_id]))
    assert one.smtp.recipients[2:] == ["b@z.test", "c@x.test"]
    assert one.qmgr.status().messages == 0


def test_a_message_withdrawn_while_it_waits_for_its_addresses(world):
    one = world()
    one.addressing.waits = []
    queue_id = one.send("a@y.test")
    answer(one.queue.hold([queue_id]))
    one.addressing.waits.pop().callback(None)
    assert one.smtp.requests == [] and one.qmgr.status().messages == 0
    assert one.state(queue_id) == "hold"


def test_a_bounce_of_a_withdrawn_message_is_not_lost(world):
    one = world()
    one.smtp.hold = True
    one.smtp.fate = lambda request, recipient: Outcome.bounced("no such user")
    queue_id = one.send("a@y.test")
    answer(one.queue.hold([queue_id]))
    one.smtp.end()
    assert [kind for kind, *_ in one.reporter.told] == ["bounce"]
    assert one.qmgr.status().messages == 0


def test_an_entry_claimed_twice_is_skipped(world):
    one = world()
    one.smtp.hold = True
    queue_id = one.send("a@y.test")
    one.qmgr.arrived(one.queue.entries[queue_id])
    assert one.lines()[-1] == f"warning {queue_id}: skipped, still being delivered"
    assert len(one.smtp.requests) == 1


def test_only_so_many_messages_wait_for_tables(world):
    one = world()
    one.addressing.waits = waits = []
    for number in range(80):
        one.send(f"a{number}@y{number}.test")
    assert len(one.addressing.asked) == 50
    while waits:
        waits.pop(0).callback(None)
    assert len(one.addressing.asked) == 80
    assert len(one.smtp.requests) == 80


def test_a_fault_while_resolving_defers_that_recipient(world, flushed_faults):
    one = world()
    one.addressing.routes["bad.test"] = ValueError("broken table")
    queue_id = one.send("a@bad.test", "b@y.test")
    assert one.smtp.recipients == ["b@y.test"]
    assert "dsn=4.3.0, status=deferred (address resolver failure)" in one.lines("retry")[0]
    assert one.state(queue_id) == "deferred"
    assert flushed_faults() == [ValueError]


@pytest.mark.parametrize("limit", ["1", "100"])
def test_a_giant_is_read_in_pieces(world, limit):
    one = world(
        qmgr_message_recipient_limit="100",
        smtp_recipient_limit=limit,
        smtp_destination_recipient_limit="5",
        smtp_destination_concurrency_limit="2",
    )
    one.smtp.hold = True
    reads = []
    original = one.queue.recipients

    async def counted(queue_id, after, wanted):
        found = await original(queue_id, after, wanted)
        reads.append(len(found))
        return found

    one.queue.recipients = counted
    queue_id = one.send(*(f"u{number}@d{number % 7}.test" for number in range(2500)))
    most = 0
    while one.smtp.open:
        most = max(most, one.qmgr.status().recipients)
        one.smtp.end()
        one.clock.advance(0.01)
    assert sorted(one.smtp.recipients) == sorted(f"u{number}@d{number % 7}.test" for number in range(2500))
    assert one.state(queue_id) == "gone"
    assert most <= 110
    assert sum(reads) == 2400


def test_a_giant_whose_recipients_cannot_be_read_is_asked_for_again(world):
    one = world(qmgr_message_recipient_limit="10")
    original = one.queue.recipients

    async def broken(*arguments):
        raise TemporaryError("database is locked")

    one.queue.recipients = broken
    queue_id = one.send(*(f"u{number}@y.test" for number in range(30)))
    assert len(one.smtp.recipients) == 10 and one.state(queue_id) == "active"
    one.queue.recipients = original
    one.clock.advance(10)
    assert len(one.smtp.recipients) == 30 and one.state(queue_id) == "gone"


def test_recipients_that_vanish_between_two_reads(world):
    one = world(qmgr_message_recipient_limit="10")

    async def gone(*arguments):
        return []

    one.queue.recipients = gone
    queue_id = one.send(*(f"u{number}@y.test" for number in range(30)))
    assert one.qmgr.status().messages == 0 and one.state(queue_id) == "gone"


def finish(deferred_coroutine):
    results = []
    Deferred.fromCoroutine(deferred_coroutine).addBoth(results.append)
    return results


def test_stopping_waits_for_what_is_under_way_and_starts_nothing(world):
    one = world(processes=1)
    one.smtp.hold = True
    first, second = one.send("a@y.test"), one.send("b@y.test")
    stopped = finish(one.qmgr.stop())
    assert stopped == []
    third = one.send("c@y.test")
    one.smtp.end()
    assert stopped == [None]
    assert [one.state(queue_id) for queue_id in (first, second, third)] == ["gone", "deferred", "incoming"]
    assert one.queue.entries[second].next_attempt == one.clock.seconds()
    one.clock.advance(1000)
    assert len(one.smtp.requests) == 1
    assert one.clock.getDelayedCalls() == []


def test_what_a_stop_leaves_behind_is_delivered_after_the_next_start(world):
    one = world(processes=1)
    one.smtp.hold = True
    one.smtp.fate = lambda request, recipient: Outcome.deferred("later")
    tried, half, untried = one.send("a@y.test"), one.send("b@y.test", "c@z.test"), one.send("d@y.test")
    one.smtp.end()
    stopped = finish(one.qmgr.stop())
    one.addressing.waits = None
    one.smtp.end()
    assert stopped == [None]
    due = {queue_id: entry.next_attempt - one.clock.seconds() for queue_id, entry in one.queue.entries.items()}
    assert due == {tried: 300, half: 0, untried: 0}
    one.smtp.hold = False
    one.smtp.requests.clear()
    answer(one.build().start())
    assert sorted(one.smtp.recipients) == ["b@y.test", "c@z.test", "d@y.test"]


def test_stopping_does_not_wait_for_ever(world):
    one = world()
    one.smtp.hold = True
    one.send("a@y.test")
    stopped = finish(one.qmgr.stop(patience=5))
    one.clock.advance(4.9)
    assert stopped == []
    one.clock.advance(0.2)
    assert stopped == [None]


def test_stopping_with_nothing_under_way(world):
    one = world()
    one.smtp.fate = lambda request, recipient: Outcome.deferred("later")
    one.send("a@y.test")
    assert finish(one.qmgr.stop()) == [None]
    assert one.clock.getDelayedCalls() == []


def test_ten_thousand_messages_over_a_transport_that_ends_at_once(world):
    """No recursion, and the reactor gets its turn."""
    one = world(start=False)
    for _ in range(10_000):
        one.send("b@y.test")
    answer(one.qmgr.start())
    one.pass_time(1)
    assert len(one.smtp.requests) == 10_000
    assert one.queue.entries == {}
