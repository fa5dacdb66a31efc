"""The queue manager from a message's arrival to its end."""

from dataclasses import replace

import pytest
from twisted.internet.defer import Deferred

from mailer.interfaces.transport import TransportUnavailable
from mailer.message.delivery import Destination
from mailer.message.envelope import Notify, Recipient
from mailer.message.status import Fate, Outcome, PermanentError, TemporaryError
from mailer.testing.tables import answer

REFUSED = ("4.4.1", "connect to y.test[192.0.2.1]:25: Connection refused")


def refuse(agent):
    agent.before = lambda request, outcomes: outcomes.unreachable(*REFUSED)
    agent.fate = lambda request, recipient: Outcome.deferred(REFUSED[1], REFUSED[0])


def fates(**texts):
    """A fate by local part: sent, deferred, bounced."""

    def fate(request, recipient):
        kind = recipient.address.split("@")[0].rstrip("0123456789")
        return getattr(Outcome, kind)(texts.get(kind, kind), relay="x")

    return fate


def test_a_message_is_delivered_logged_and_forgotten(world):
    one = world()
    queue_id = one.send("b@y.test", size=286)
    (request,) = one.smtp.requests
    assert (request.queue_id, request.transport, request.nexthop) == (queue_id, "smtp", "y.test")
    assert (request.activated, request.started, request.probe, request.busy) == (1e6, 1e6, False, False)
    assert request.envelope.sender == "me@here.example" and request.content.size == 286
    assert one.lines() == [
        f"info {queue_id}: from=<me@here.example>, size=286, nrcpt=1 (queue active)",
        f"info {queue_id}: removed",
    ]
    assert one.lines("smtp") == [
        f"info {queue_id}: to=<b@y.test>, relay=x, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered)"
    ]
    assert one.state(queue_id) == "gone"
    assert one.reporter.told == []


def test_recipients_of_one_destination_share_a_delivery_and_resolved_addresses_are_presented(world):
    one = world()
    one.addressing.routes["alias.test"] = lambda address: Destination("smtp", "Y.test", "b@y.test")
    queue_id = one.send("a@y.test", "c@alias.test", "d@z.test")
    assert [(r.nexthop, [x.address for x in r.recipients]) for r in one.smtp.requests] == [
        ("y.test", ["a@y.test", "b@y.test"]),
        ("z.test", ["d@z.test"]),
    ]
    lines = one.lines("smtp")
    assert f"info {queue_id}: to=<b@y.test>, orig_to=<c@alias.test>, relay=x," in "\n".join(lines)


def test_duplicates_after_resolving_are_delivered_twice_as_by_postfix(world):
    one = world()
    one.addressing.routes["mx.test"] = lambda address: Destination("smtp", "example.com", "user@example.com")
    one.send("user@example.com", "user%example.com@mx.test")
    assert one.smtp.recipients == ["user@example.com"] * 2


def test_what_is_under_way_shows_in_the_request(world):
    one = world()
    one.smtp.hold = True
    for _ in range(7):
        one.send("b@y.test")
    assert [request.busy for request in one.smtp.requests] == [False] * 5  # the initial window
    one.smtp.end()
    assert [request.busy for request in one.smtp.requests[5:]] == [True, True]


def test_much_mail_that_never_has_to_wait_shows_in_the_request(world):
    one = world()
    for _ in range(22):
        one.send("b@y.test")
        one.send("a@x.test") if len(one.smtp.requests) == 2 else None
    busy = [request.busy for request in one.smtp.requests]
    assert busy == [False] * 21 + [True] * 2
    one.clock.advance(1)
    one.send("b@y.test")
    assert not one.smtp.requests[-1].busy


def test_delays_in_the_log(world):
    one = world(smtp_destination_concurrency_limit="1")
    one.smtp.hold = True
    one.send("a@y.test")
    queue_id = one.send("b@y.test", arrival=1e6 - 3.25)
    one.clock.advance(0.5)
    one.smtp.end()
    one.smtp.fate = lambda request, recipient: Outcome.sent("ok", relay="x", connected=one.clock.seconds() - 0.03)
    one.clock.advance(1.5)
    one.lines("smtp")
    one.smtp.end()
    assert one.lines("smtp") == [
        f"info {queue_id}: to=<b@y.test>, relay=x, delay=5.3, delays=3.3/0.5/1.5/0.03, dsn=2.0.0, status=sent (ok)"
    ]


def test_fates_are_recorded_when_told_although_the_delivery_goes_on(world):
    class Slow:
        async def deliver(self, request, outcomes):
            self.tell = outcomes.tell
            outcomes.tell(request.recipients[0], Outcome.sent("first"))
            self.waiting = Deferred()
            await self.waiting
            outcomes.tell(request.recipients[2], Outcome.sent("third"))

    slow = Slow()
    one = world(transports={"smtp": slow})
    queue_id = one.send("a@y.test", "b@y.test", "c@y.test")
    entry = one.queue.entries[queue_id]
    assert [recipient.address for recipient in entry.unfinished] == ["b@y.test", "c@y.test"]
    slow.tell(entry.everyone[1], Outcome.sent("second"))  # from a callback of its own
    assert [recipient.address for recipient in entry.unfinished] == ["c@y.test"]
    slow.waiting.callback(None)
    assert one.state(queue_id) == "gone"


def test_a_deferred_message_waits_for_its_age_and_is_tried_again(world):
    one = world()
    one.smtp.fate = fates(deferred="try later")
    queue_id = one.send("deferred@y.test", "sent@z.test")
    entry = one.queue.entries[queue_id]
    assert (one.state(queue_id), entry.next_attempt) == ("deferred", 1e6 + 300)
    one.lines()
    one.pass_time(298)
    assert len(one.smtp.requests) == 2
    one.smtp.fate = fates()
    one.smtp.requests.clear()
    one.pass_time(3)
    assert one.smtp.recipients == ["deferred@y.test"]
    assert one.lines() == [f"info {queue_id}: from=<me@here.example>, size=10, nrcpt=2 (queue active)"]
    assert entry.next_attempt == pytest.approx(1e6 + 600, abs=2)


def test_five_days_of_backoff(world):
    one = world(queue_run_delay="1s")
    one.smtp.fate = fates()
    queue_id = one.send("deferred@y.test")
    attempts = []
    while one.state(queue_id) != "gone":
        attempts.append(len(one.smtp.requests))
        one.clock.advance(max(one.queue.entries[queue_id].next_attempt - one.clock.seconds(), 0.0))
    started = [request.started - 1e6 for request in one.smtp.requests]
    gaps = [later - earlier for earlier, later in zip(started, started[1:], strict=False)]
    assert [round(gap) for gap in gaps[:5]] == pytest.approx([300, 300, 600, 1200, 2400], abs=2)
    assert all(gap == pytest.approx(4000, abs=2) for gap in gaps[6:])
    assert 432000 <= started[-1] <= 436000
    assert one.reporter.told == [("bounce", queue_id, [("deferred@y.test", "4.0.0", "deferred")])]
    assert one.lines()[-2:] == [
        f"info {queue_id}: from=<me@here.example>, status=expired, returned to sender",
        f"info {queue_id}: removed",
    ]


def test_the_deferred_queue_is_looked_at_once_in_queue_run_delay(world):
    one = world(queue_run_delay="300s", minimal_backoff_time="10s")
    one.smtp.fate = fates()
    one.send("deferred@y.test")
    one.pass_time(290)
    assert len(one.smtp.requests) == 1
    one.pass_time(20)
    assert len(one.smtp.requests) == 2


def test_failures_for_good_are_reported_before_the_message_is_forgotten(world):
    one = world()
    one.smtp.fate = fates(bounced="unknown user")
    queue_id = one.send("bounced@y.test", "sent@y.test")
    assert one.reporter.told == [("bounce", queue_id, [("bounced@y.test", "5.0.0", "unknown user")])]
    assert one.state(queue_id) == "gone"


def test_a_bounce_does_not_wait_for_recipients_that_are_deferred(world):
    one = world()
    one.smtp.fate = fates()
    queue_id = one.send("bounced@y.test", "deferred@z.test")
    assert [kind for kind, *_ in one.reporter.told] == ["bounce"]
    assert one.state(queue_id) == "deferred"
    assert answer(one.queue.failures(queue_id)) == [
        (one.queue.entries[queue_id].everyone[1], Outcome.deferred("deferred", relay="x"))
    ]


def test_nothing_is_forgotten_while_the_bounce_cannot_be_made(world):
    one = world()
    one.smtp.fate = fates()
    one.reporter.failure = TemporaryError("disk full")
    queue_id = one.send("bounced@y.test", "deferred@y.test")
    assert one.state(queue_id) == "active"
    assert [outcome.text for _, outcome in answer(one.queue.failures(queue_id))] == ["bounced", "deferred"]
    assert one.lines()[-1].startswith(f"warning {queue_id}: the sender cannot be notified now: ")
    one.pass_time(301)
    assert one.state(queue_id) == "active"
    one.reporter.failure = None
    one.pass_time(301)
    assert [kind for kind, *_ in one.reporter.told] == ["bounce"]
    assert one.state(queue_id) == "deferred"


def test_a_bounce_still_owed_after_a_crash_is_made_without_a_delivery(world):
    one = world(start=False)
    queue_id = one.send("bounced@y.test", "sent@z.test")
    one.queue.record(queue_id, [(1, Outcome.bounced("unknown user", "5.1.1")), (2, Outcome.sent("ok"))])
    answer(one.qmgr.start())
    assert one.smtp.requests == []
    assert one.reporter.told == [("bounce", queue_id, [("bounced@y.test", "5.1.1", "unknown user")])]
    assert one.state(queue_id) == "gone"


def test_many_failures_are_read_from_the_store(world):
    one = world()
    one.smtp.fate = fates()
    queue_id = one.send(*(f"bounced{number}@y.test" for number in range(1000)), "deferred@y.test")
    one.pass_time(1)
    ((kind, told, results),) = one.reporter.told
    assert (kind, told, len(results)) == ("bounce", queue_id, 1000)


def test_success_notices_for_those_who_asked(world):
    one = world()
    one.smtp.fate = fates()
    asked = Recipient("sent1@y.test", "sent1@y.test", Notify.SUCCESS | Notify.FAILURE)
    queue_id = one.send(asked, "sent2@y.test")
    assert one.reporter.told == [("succeeded", queue_id, [("sent1@y.test", "2.0.0", "sent")])]


def test_lists_that_were_expanded_are_reported_in_the_first_pass(world):
    one = world()
    one.smtp.fate = fates()
    queue_id = one.send("sent1@y.test", "deferred@y.test", expanded=[["list@y.test", "", "list@y.test"]])
    one.pass_time(1)
    assert one.reporter.told == [("succeeded", queue_id, [])]
    one.pass_time(2000, 10)
    assert [kind for kind, _, _ in one.reporter.told] == ["succeeded"]


@pytest.mark.parametrize(("setting", "told"), [("yes", ["delayed", "succeeded"]), ("no", ["delayed"])])
def test_confirm_delay_cleared(world, setting, told):
    one = world(delay_warning_time="1h", confirm_delay_cleared=setting, queue_run_delay="1s")
    one.smtp.fate = fates()
    one.send("deferred@y.test")
    one.pass_time(5000, 10)
    one.smtp.fate = lambda request, recipient: Outcome.sent("ok")
    one.pass_time(5000, 10)
    assert [kind for kind, *_ in one.reporter.told] == told


def test_the_sender_is_warned_once(world):
    one = world(delay_warning_time="1h", queue_run_delay="1s")
    one.smtp.fate = fates()
    queue_id = one.send("deferred@y.test")
    one.pass_time(3500, 10)
    assert one.reporter.told == []
    one.pass_time(20000, 10)
    assert one.reporter.told == [("delayed", queue_id, [("deferred@y.test", "4.0.0", "deferred")])]
    assert one.queue.entries[queue_id].warned


def test_null_senders_have_a_lifetime_of_their_own(world):
    one = world(maximal_queue_lifetime="5d", bounce_queue_lifetime="1s", queue_run_delay="1s")
    one.smtp.fate = fates()
    ours, bounce = one.send("deferred@y.test"), one.send("deferred@y.test", sender="")
    one.pass_time(310, 10)
    assert (one.state(ours), one.state(bounce)) == ("deferred", "gone")
    assert f"info {bounce}: from=<>, status=expired, returned to sender" in one.lines()
    assert one.reporter.told == [("bounce", bounce, [("deferred@y.test", "4.0.0", "deferred")])]


def test_a_lifetime_of_nothing_means_one_attempt(world):
    one = world(maximal_queue_lifetime="0", bounce_queue_lifetime="0")
    one.smtp.fate = fates()
    queue_id = one.send("deferred@y.test")
    assert one.state(queue_id) == "gone" and len(one.reporter.told) == 1


def test_a_longer_bounce_lifetime_is_adjusted_and_complained_of(world):
    one = world(maximal_queue_lifetime="1d", bounce_queue_lifetime="2d")
    assert one.lines() == [
        "warning bounce_queue_lifetime is larger than maximal_queue_lifetime - adjusting bounce_queue_lifetime"
    ]


def test_forced_expiry_tries_nothing_and_returns_the_last_reasons(world):
    one = world()
    one.smtp.fate = fates(deferred="connection refused")
    queue_id = one.send("deferred1@y.test", "deferred2@y.test")
    entry = one.queue.entries[queue_id]
    entry.expired = True
    del entry.outcomes[2]  # as if the second had never been tried
    one.smtp.requests.clear()
    one.lines(), one.lines("smtp")
    answer(one.qmgr.flush([queue_id]))
    assert one.smtp.requests == []
    assert one.lines("retry") == [
        f"info {queue_id}: to=<deferred2@y.test>, relay=none, delay=0, delays=0/0/0/0, dsn=4.7.0, status=deferred"
        " (message is administratively expired)"
    ]
    assert one.lines() == [
        f"info {queue_id}: from=<me@here.example>, size=10, nrcpt=2 (queue active)",
        f"info {queue_id}: from=<me@here.example>, status=force-expired, returned to sender",
        f"info {queue_id}: removed",
    ]
    assert one.reporter.told == [
        (
            "bounce",
            queue_id,
            [
                ("deferred1@y.test", "4.0.0", "connection refused"),
                ("deferred2@y.test", "4.7.0", "message is administratively expired"),
            ],
        )
    ]


def test_probes_are_reported_and_never_deferred(world):
    one = world()
    one.smtp.fate = fates()
    queue_id = one.send("sent@y.test", "deferred@y.test", "bounced@y.test", probe="verify")
    assert all(request.probe for request in one.smtp.requests)
    assert [line.rsplit("status=")[1] for line in one.lines("smtp")] == [
        "deliverable (sent)",
        "undeliverable (deferred)",
        "undeliverable (bounced)",
    ]
    assert one.state(queue_id) == "gone"
    ((kind, _, results),) = one.reporter.told
    assert kind == "succeeded" and len(results) == 3


def test_the_verifier_is_told_what_became_of_its_probes(world):
    one = world()
    one.smtp.fate = fates()
    told = []

    class Verifier:
        def told(self, recipient, outcome):
            told.append((recipient.address, outcome.fate, outcome.text))

        def word(self, fate):
            return f"{fate.value}-indeed"

    one.qmgr._verifier = Verifier()
    one.qmgr._dispatch.desk = replace(one.qmgr._dispatch.desk, verifier=one.qmgr._verifier)
    queue_id = one.send("sent@y.test", "deferred@y.test", "bounced@y.test", probe="address")
    assert one.state(queue_id) == "gone" and one.reporter.told == []
    assert told == [
        ("sent@y.test", Fate.DELIVERABLE, "sent"),
        ("deferred@y.test", Fate.UNDELIVERABLE, "deferred"),
        ("bounced@y.test", Fate.UNDELIVERABLE, "bounced"),
    ]
    assert one.lines("smtp")[0].endswith("status=deliverable-indeed (sent)")


def test_a_traced_message_is_reported_on_after_its_first_attempt_only(world):
    one = world(queue_run_delay="1s")
    one.smtp.fate = fates()
    one.send("sent@y.test", "deferred@y.test", probe="trace")
    one.pass_time(700, 10)
    assert [(kind, len(results)) for kind, _, results in one.reporter.told] == [("succeeded", 2)]


def test_soft_bounce(world):
    one = world(soft_bounce="yes")
    one.smtp.fate = lambda request, recipient: Outcome.bounced("unknown user", "5.1.1")
    queue_id = one.send("b@y.test")
    assert one.state(queue_id) == "deferred" and one.reporter.told == []
    assert "dsn=4.1.1, status=SOFTBOUNCE (unknown user)" in one.lines("smtp")[0]


def test_members_of_an_alias_are_reported_by_their_names(world):
    one = world()
    members = [Recipient(name, "list@y.test") for name in ("a@y.test", "b@y.test", "c@y.test")]

    async def deliver(request, outcomes):
        outcomes.partial(members[0], Outcome.sent("delivered"))
        outcomes.partial(members[1], Outcome.bounced("unknown user", "5.1.1"))
        outcomes.tell(request.recipients[0], Outcome.bounced("mailbox full", "5.2.2"), members[2])

    one.smtp.deliver = deliver
    one.send("list@y.test")
    ((kind, _, results),) = one.reporter.told
    assert (kind, sorted(results)) == (
        "bounce",
        [("b@y.test", "5.1.1", "unknown user"), ("c@y.test", "5.2.2", "mailbox full")],
    )


def test_dead_destination(world):
    one = world(smtp_initial_destination_concurrency="1")
    refuse(one.smtp)
    first = one.send("a@y.test")
    second = one.send("b@y.test")
    assert [request.queue_id for request in one.smtp.requests] == [first]
    assert one.lines("retry") == [
        f"info {second}: to=<b@y.test>, relay=none, delay=0, delays=0/0/0/0, dsn=4.4.1, status=deferred"
        f" (delivery temporarily suspended: {REFUSED[1]})"
    ]
    assert (one.state(first), one.state(second)) == ("deferred", "deferred")
    one.pass_time(200)
    one.send("c@y.test")
    assert len(one.smtp.requests) == 1
    one.smtp.before = None
    one.smtp.fate = lambda request, recipient: Outcome.sent("ok")
    one.pass_time(101)
    one.smtp.requests.clear()
    one.send("sent@y.test")
    assert one.smtp.recipients == ["sent@y.test"]


def test_flush_wakes_the_dead_and_everything_deferred(world):
    one = world(smtp_initial_destination_concurrency="1")
    refuse(one.smtp)
    sent = [one.send(f"{name}@y.test") for name in "abc"]
    one.smtp.requests.clear()
    one.smtp.before = None
    one.smtp.fate = lambda request, recipient: Outcome.sent("ok")
    assert answer(one.qmgr.flush()) == 3
    assert sorted(request.queue_id for request in one.smtp.requests) == sorted(sent)
    assert {one.state(queue_id) for queue_id in sent} == {"gone"}


def test_flush_of_a_site_and_of_an_entry(world):
    one = world()
    one.smtp.fate = fates()
    first, second = one.send("deferred@y.test"), one.send("deferred@z.test")
    one.smtp.requests.clear()
    assert answer(one.qmgr.flush(domain="z.test")) == 1
    assert answer(one.qmgr.flush([first])) == 1
    assert [request.queue_id for request in one.smtp.requests] == [second, first]


def test_defer_transports_until_somebody_flushes(world):
    one = world(defer_transports="smtp")
    queue_id = one.send("b@y.test")
    assert one.smtp.requests == []
    assert "dsn=4.3.2, status=deferred (deferred transport)" in one.lines("retry")[0]
    one.pass_time(700)
    assert one.smtp.requests == []
    answer(one.qmgr.flush())
    assert [request.queue_id for request in one.smtp.requests] == [queue_id]
    one.send("b@y.test")
    assert len(one.smtp.requests) == 1


def test_an_unknown_transport(world):
    one = world()
    one.addressing.routes["bogus.test"] = lambda address: Destination("foo", "bar", address)
    first = one.send("n@bogus.test")
    second = one.send("m@bogus.test", "b@y.test")
    assert [line for line in one.lines() if "warning" in line] == [
        "warning connect to transport private/foo: No such file or directory"
    ]
    lines = one.lines("retry")
    assert [line.split(": ")[0] for line in lines] == [f"info {first}", f"info {second}"]
    assert all("dsn=4.3.0, status=deferred (mail transport unavailable)" in line for line in lines)
    one.pass_time(61)
    one.send("l@bogus.test")
    assert len([line for line in one.lines() if "private/foo" in line]) == 1


def test_without_a_retry_service_the_queue_manager_defers_by_itself(world, agent):
    one = world(transports={"smtp": agent()}, defer_transports="smtp")
    queue_id = one.send("b@y.test")
    assert (
        f"info {queue_id}: to=<b@y.test>, relay=none, delay=0, delays=0/0/0/0, dsn=4.3.2, status=deferred"
        " (deferred transport)" in one.lines()
    )
    assert one.state(queue_id) == "deferred"


@pytest.mark.parametrize(
    ("error", "dsn", "text"),
    [
        (TemporaryError("no memory", "4.3.1", "try\nlater"), "4.3.1", "try later"),
        (PermanentError("no way", "5.5.0"), "4.5.0", "no way"),
        (TransportUnavailable("Connection refused"), "4.3.0", "mail transport unavailable"),
    ],
)
def test_what_a_transport_raises_is_the_fate_of_those_it_did_not_tell(world, error, dsn, text):
    one = world()

    def fail(request, outcomes):
        outcomes.tell(request.recipients[0], Outcome.sent("ok"))
        raise error

    one.smtp.before = fail
    queue_id = one.send("a@y.test", "b@y.test")
    lines = one.lines("smtp")
    assert "to=<a@y.test>" in lines[0] and "status=sent" in lines[0]
    assert f"to=<b@y.test>, relay=none, delay=0, delays=0/0/0/0, dsn={dsn}, status=deferred ({text})" in lines[1]
    assert one.state(queue_id) == "deferred"


def test_a_failure_reaches_the_transport_that_waits(world):
    one = world()
    one.smtp.hold = True
    queue_id = one.send("a@y.test")
    one.smtp.open.pop().errback(TemporaryError("lost", "4.4.2", "connection lost"))
    assert "dsn=4.4.2, status=deferred (connection lost)" in one.lines("smtp")[0]
    assert one.state(queue_id) == "deferred"


def test_an_unavailable_transport_is_left_alone(world):
    one = world()

    def fail(request, outcomes):
        raise TransportUnavailable("Connection refused")

    one.smtp.before = fail
    one.send("a@y.test")
    one.send("b@z.test")
    assert len(one.smtp.requests) == 1
    assert "warning connect to transport private/smtp: Connection refused" in one.lines()
    one.smtp.before = None
    one.pass_time(61)
    one.send("c@z.test")
    assert len(one.smtp.requests) == 2


def test_a_transport_that_fails_by_itself_loses_nothing(world, flushed_faults):
    one = world()
    one.smtp.before = lambda request, outcomes: 1 / 0
    queue_id = one.send("a@y.test")
    assert "dsn=4.3.0, status=deferred (unknown mail transport error)" in one.lines("smtp")[0]
    assert one.state(queue_id) == "deferred"
    assert (
        "warning transport smtp failure -- see a previous warning/fatal/panic logfile record for the problem description"
        in one.lines()
    )
    assert flushed_faults() == [ZeroDivisionError]


def test_a_transport_that_says_nothing(world):
    one = world()
    one.smtp.fate = lambda request, recipient: None
    queue_id = one.send("a@y.test")
    assert one.state(queue_id) == "deferred"
    assert "dsn=4.3.0, status=deferred (unknown mail transport error)" in one.lines("smtp")[0]


def test_a_transport_that_tells_twice_is_believed_once(world):
    one = world()
    one.smtp.before = lambda request, outcomes: outcomes.tell(request.recipients[0], Outcome.bounced("no"))
    one.send("a@y.test")
    assert len(one.lines("smtp")) == 1 and [kind for kind, *_ in one.reporter.told] == ["bounce"]


def test_a_coroutine_that_awaits_something_else_than_a_deferred(world, flushed_faults):
    class Strange:
        def __await__(self):
            yield "a string"

    class Foreign:
        async def deliver(self, request, outcomes):
            await Strange()

    one = world(transports={"smtp": Foreign()})
    queue_id = one.send("a@y.test")
    assert one.state(queue_id) == "deferred"
    assert flushed_faults() == [TypeError]


def test_double_bounces_are_dropped(world):
    one = world()
    one.addressing.routes["mx.test"] = lambda address: Destination("local", "mx.test", address, "local")
    queue_id = one.send("double-bounce@mx.test")
    assert one.lines() == [
        f"info {queue_id}: from=<me@here.example>, size=10, nrcpt=1 (queue active)",
        f"info {queue_id}: to=<double-bounce@mx.test>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent"
        " (undeliverable postmaster notification discarded)",
        f"info {queue_id}: removed",
    ]


def test_status(world):
    one = world()
    one.smtp.hold = True
    for _ in range(7):
        one.send("b@y.test")
    one.clock.advance(601)
    status = one.qmgr.status()
    assert (status.messages, status.recipients) == (7, 7)
    (smtp,) = status.transports
    assert (smtp.name, smtp.processes, smtp.busy, smtp.waiting, smtp.suspended) == ("smtp", 100, 5, 2, "")
    (y,) = smtp.destinations
    assert (y.name, y.window, y.busy, y.waiting, y.suspended) == ("y.test", 5, 5, 2, "")
    assert y.ages == [0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
