"""What the address verification service answers, when it probes, and what it remembers."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from mailer.config.settings import Settings
from mailer.interfaces.context import Context
from mailer.interfaces.verification import IVerifier
from mailer.message.envelope import Recipient
from mailer.message.status import Fate, Outcome, TemporaryError
from mailer.message.verification import Known
from mailer.report.verification.entry import parse
from mailer.report.verification.sender import ProbeSender
from mailer.report.verification.verifier import Verifier
from mailer.testing.log import RecordingLog
from mailer.testing.queue import MemoryQueue

START = 1795547630.0
DAY = 86400
NO_SUCH = Outcome(Fate.UNDELIVERABLE, "5.1.1", "no such user")


class Complete:
    async def rewrite(self, address, context):
        assert context == "local"
        return address if "@" in address else f"{address}@mta.example"


class Bench:
    def __init__(self, **settings):
        self.clock = Clock()
        self.log = RecordingLog()
        self.queue = MemoryQueue(self.seconds)
        self.settings = settings
        self.verifier = Verifier()
        self.renew()

    def seconds(self):
        return START + self.clock.seconds()

    def renew(self, **more):
        given = {"myhostname": "mta.example", "address_verify_map": "", **self.settings, **more}
        context = Context(
            settings=Settings({}).with_overrides(given), reactor=self.clock, seconds=self.seconds, log=self.log,
            name="verify", sink=self.queue, addressing=Complete(),
        )  # fmt: skip
        self.verifier.renew(context)

    def ask(self, address="u@dest.example", patience=0.0):
        found = []
        Deferred.fromCoroutine(self.verifier.verify(address, patience)).addBoth(found.append)
        return found

    def known(self, address="u@dest.example"):
        (found,) = self.ask(address)
        return found.known

    @property
    def probes(self):
        return list(self.queue.entries.values())

    def tell(self, outcome, address="u@dest.example", original=""):
        self.verifier.told(Recipient(address, original), outcome)


GOOD = Outcome(Fate.DELIVERABLE, "2.1.5", "250 2.1.5 Ok")


def test_the_interface():
    verifyObject(IVerifier, Verifier())


def test_a_probe_is_an_empty_message_from_the_probe_sender():
    bench = Bench()
    assert bench.known() is Known.PENDING
    (probe,) = bench.probes
    assert (probe.envelope.sender, probe.envelope.probe) == ("double-bounce@mta.example", "address")
    assert [recipient.address for recipient in probe.everyone] == ["u@dest.example"]
    assert probe.content.inline.startswith(b"Received: by mta.example (Postfix)\r\n\tid ")
    assert bench.known() is Known.PENDING
    assert len(bench.probes) == 1


def test_who_waits_goes_on_with_the_answer():
    bench = Bench()
    first, second = bench.ask(patience=6), bench.ask(patience=2)
    assert not first
    bench.clock.advance(3)
    assert second[0].known is Known.PENDING
    assert second[0].text == "Address verification in progress"
    bench.tell(NO_SUCH)
    assert (first[0].known, first[0].text) == (Known.UNDELIVERABLE, "no such user")
    assert not bench.verifier._waiting
    assert bench.clock.getDelayedCalls() == [bench.verifier._cleaning]


def test_the_address_that_was_asked_for_is_the_key():
    bench = Bench()
    bench.known("alias@mta.example")
    bench.tell(GOOD, "user@mta.example", "alias@mta.example")
    assert bench.known("alias@mta.example") is Known.DELIVERABLE


def test_a_temporary_failure_is_no_more_than_that():
    bench = Bench()
    bench.tell(Outcome(Fate.UNDELIVERABLE, "4.4.1", "connection refused"))
    assert bench.known() is Known.DEFERRED


def test_good_results_are_refreshed_in_time_and_expire():
    bench = Bench()
    bench.tell(GOOD)
    bench.clock.advance(7 * DAY - 1)
    assert bench.known() is Known.DELIVERABLE
    assert not bench.probes
    bench.clock.advance(2)
    assert bench.known() is Known.DELIVERABLE
    assert len(bench.probes) == 1
    bench.tell(NO_SUCH)  # does not outweigh the success, as long as that lasts
    assert bench.known() is Known.DELIVERABLE
    bench.clock.advance(25 * DAY)
    assert bench.known() is Known.PENDING
    assert len(bench.probes) == 2
    bench.tell(NO_SUCH)
    assert bench.known() is Known.UNDELIVERABLE


def test_bad_results_are_refreshed_and_expire():
    bench = Bench()
    bench.tell(NO_SUCH)
    bench.clock.advance(3 * 3600 + 1)
    assert bench.known() is Known.UNDELIVERABLE
    assert len(bench.probes) == 1
    bench.clock.advance(3 * DAY)
    assert bench.known() is Known.PENDING


def test_a_lost_probe_is_repeated():
    bench = Bench()
    bench.known()
    bench.clock.advance(1000)
    bench.known()
    assert len(bench.probes) == 1
    bench.clock.advance(2)
    bench.known()
    assert len(bench.probes) == 2


def test_failures_may_be_forgotten_at_once():
    bench = Bench(address_verify_negative_cache="no")
    waiting = bench.ask(patience=2)
    bench.tell(NO_SUCH)
    assert not waiting
    bench.clock.advance(2)
    assert waiting[0].known is Known.PENDING
    assert bench.verifier.word(Fate.UNDELIVERABLE) == "undeliverable-but-not-cached"
    assert bench.verifier.word(Fate.DELIVERABLE) == "deliverable"
    assert Bench().verifier.word(Fate.UNDELIVERABLE) == "undeliverable"
    bench.tell(GOOD)
    assert bench.known() is Known.DELIVERABLE


def test_our_own_address_needs_no_probe():
    bench = Bench()
    assert bench.known("Double-Bounce@mta.example") is Known.DELIVERABLE
    assert not bench.probes
    assert Bench(address_verify_sender="<>").known("double-bounce@mta.example") is Known.PENDING


def test_the_sender_of_a_period():
    settings = Settings({}).with_overrides({"address_verify_sender_ttl": "3600s"})
    sender = ProbeSender("double-bounce@mta.example", settings)
    assert sender.at(START) == "double-bounceJR04@mta.example"  # as Postfix at that second
    for periods, ours in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        assert sender.owns(sender.at(START + periods * 3600), START) is ours
    assert not sender.owns("double-bounce@mta.example", START)
    assert ProbeSender("", settings).at(START) == ""


def test_too_many_probes_are_a_temporary_failure():
    bench = Bench(address_verify_pending_request_limit="2")
    for number in range(2):
        bench.known(f"u{number}@dest.example")
    assert bench.known("u3@dest.example") is Known.DEFERRED
    assert len(bench.probes) == 2
    assert "Too many address verification requests" in bench.log.lines[-1]
    bench.clock.advance(2000)
    bench.known("u4@dest.example")
    assert len(bench.probes) == 3


def test_a_queue_that_takes_nothing_is_told():
    bench = Bench()
    bench.queue.refusal = TemporaryError("disk full")
    assert bench.known() is Known.PENDING
    assert bench.log.lines[-1] == "warning probe of u@dest.example not sent: disk full"


def test_the_cache_outlives_reload_and_restart(tmp_path):
    bench = Bench(address_verify_map=f"btree:{tmp_path}/verify")
    bench.tell(NO_SUCH)
    bench.renew()
    assert bench.known() is Known.UNDELIVERABLE
    bench.verifier.close()
    assert Bench(address_verify_map=f"btree:{tmp_path}/verify").known() is Known.UNDELIVERABLE
    bench.renew(address_verify_map="")
    assert bench.known() is Known.PENDING


def test_old_entries_are_dropped():
    bench = Bench()
    bench.tell(NO_SUCH)
    bench.tell(GOOD, "good@dest.example")
    for _ in range(8):  # cleanups are half a day apart
        bench.clock.advance(DAY / 2 + 1)
    lines = [line for line in bench.log.lines if "cleanup" in line]
    assert lines[-1] == "info cache internal:verify full cleanup: retained=1 dropped=0 entries"
    assert sum("dropped=1" in line for line in lines) == 1


@pytest.mark.parametrize("value", ["", "0:0:0:", "4:0:0:x", "a:0:0:x", "0:0:x", "²:0:0:x", "-1:0:0:x"])
def test_what_is_no_entry(value):
    assert parse(value) is None


class Lists:
    """Cleaning that finds a list."""

    def __init__(self, queue):
        self.queue = queue

    def open(self, envelope, producer=None):
        writer = self.queue.open(envelope, producer)

        async def commit():
            envelope.discard = "aliased to multiple recipients"
            writer.abort()
            return ""

        return SimpleNamespace(
            queue_id=writer.queue_id, recipient=writer.recipient, write=writer.write, commit=commit, abort=writer.abort
        )


def test_a_list_is_deliverable_at_once():
    bench = Bench()
    bench.verifier._context = replace(bench.verifier._context, sink=Lists(bench.queue))
    (found,) = bench.ask(patience=5)
    assert (found.known, found.text) == (Known.DELIVERABLE, "aliased to multiple recipients")
