"""Tables that rewrite what servers say and what is reported. Postfix's ways are among the recorded deliveries."""

import pytest
from twisted.internet.defer import Deferred

from mailer.deliver.smtp.replyfilter import ReplyFilter
from mailer.deliver.statusfilter import FilteredTransport, filtered
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import Fate, Outcome, TemporaryError
from mailer.testing.log import RecordingLog
from mailer.testing.tables import BrokenTable, MemoryTable, answer
from mailer.testing.transports import RecordingOutcomes


class Telling:
    """A transport with given outcomes, which may then fail."""

    stopped = False

    def __init__(self, *outcomes, error=None):
        self.outcomes, self.error = outcomes, error

    async def deliver(self, request, outcomes):
        outcomes.unreachable("4.4.1", "down")
        for recipient, outcome in zip(request.recipients, self.outcomes, strict=False):
            outcomes.tell(recipient, outcome)
        if self.error is not None:
            raise self.error

    async def stop(self):
        self.stopped = True


def deliver(table, *outcomes, error=None):
    log, told = RecordingLog(), RecordingOutcomes()
    recipients = [Recipient(f"{name}@x.example") for name in "abc"]
    request = DeliveryRequest("QID", Envelope(), None, "smtp", "x.example", recipients)
    transport = FilteredTransport(Telling(*outcomes, error=error), table, "smtp_delivery_status_filter", log)
    try:
        answer(transport.deliver(request, told))
    except TemporaryError as raised:
        assert raised is error
    assert told.down == [("4.4.1", "down")]
    return [(o.fate, o.status, o.text) for _, o in told.told], log.lines


@pytest.mark.parametrize(
    "outcome, found, expected",
    [
        (Outcome.bounced("no", "5.1.1"), "4.2.2 later", (Fate.DEFERRED, "4.2.2", "later")),
        (Outcome.deferred("no", "4.1.1"), "5.2.2 never", (Fate.BOUNCED, "5.2.2", "never")),
        (Outcome.sent("ok", "2.0.0"), "2.1.0 fine", (Fate.SENT, "2.1.0", "fine")),
        (Outcome(Fate.UNDELIVERABLE, "5.1.1", "no"), "4.1.1 now", (Fate.UNDELIVERABLE, "4.1.1", "now")),
        (Outcome(Fate.DELIVERABLE, "2.1.5", "ok"), "2.1.0 yes", (Fate.DELIVERABLE, "2.1.0", "yes")),
    ],
)
def test_a_status_is_replaced(outcome, found, expected):
    table = MemoryTable({f"{outcome.status} {outcome.text}": found})
    assert deliver(table, outcome) == ([expected], [])


@pytest.mark.parametrize("found", ["nonsense", "2.0.0 a success", "5.1.1", "5.1.1 ", "9.1.1 x", "5.1 x"])
def test_a_replacement_that_makes_no_sense_is_told_and_ignored(found):
    outcomes, lines = deliver(MemoryTable({"5.1.1 no": found}), Outcome.bounced("no", "5.1.1"))
    assert outcomes == [(Fate.BOUNCED, "5.1.1", "no")]
    assert lines == [f"warning smtp_delivery_status_filter: bad status code: {found}"]


def test_what_is_not_in_the_table_or_cannot_be_looked_up_stays():
    for table in (MemoryTable({}), BrokenTable()):
        assert deliver(table, Outcome.bounced("no", "5.1.1"))[0] == [(Fate.BOUNCED, "5.1.1", "no")]


def test_fates_told_before_a_failure_are_not_lost():
    error = TemporaryError("gone")
    outcomes, _ = deliver(MemoryTable({"5.1.1 no": "4.1.1 later"}), Outcome.bounced("no", "5.1.1"), error=error)
    assert outcomes == [(Fate.DEFERRED, "4.1.1", "later")]


def test_without_tables_there_is_no_filter_and_with_one_it_stops_what_is_behind_it():
    transport = Telling()
    assert filtered(transport, (), "x", None) is transport
    answer(FilteredTransport(transport, MemoryTable({}), "x", RecordingLog()).stop())
    assert transport.stopped


class Slow:
    name = "slow:x"

    async def lookup(self, key):
        await Deferred()


def test_replies_are_rewritten_and_that_is_logged():
    log = RecordingLog()
    rewrite = ReplyFilter(MemoryTable({"550 no \udcff": "450 later"}), "h[192.0.2.1]:25", log)
    assert rewrite(b"250 ok") == b"250 ok" and rewrite(b"550 no \xff") == b"450 later"
    assert log.lines == ['info h[192.0.2.1]:25: replacing server reply "550 no \udcff" with "450 later"']


@pytest.mark.parametrize("table", [BrokenTable(), Slow()])
def test_a_table_that_cannot_tell_at_once_is_a_temporary_failure(table):
    with pytest.raises(TemporaryError):
        ReplyFilter(table, "h", RecordingLog())(b"250 ok")
