"""Transports in another process keep the contract of transports, and what is told arrives when it is told."""

import pytest
from twisted.internet.defer import Deferred

from mailer.deliver.discard import DiscardTransport
from mailer.deliver.smtp.desk import Desk
from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.transport import SmtpTransport
from mailer.interfaces.transport import TransportUnavailable
from mailer.ipc.client import Client
from mailer.ipc.delivering import Fleet, RemoteTransport, TransportService
from mailer.ipc.errors import RemoteFault
from mailer.ipc.server import CallServer
from mailer.message.envelope import Client as Origin
from mailer.message.envelope import Envelope, Notify, Recipient
from mailer.message.status import Fate, MailError, Outcome, TemporaryError
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog
from mailer.testing.network import MemoryNetwork
from mailer.testing.peer import Peer, Script
from mailer.testing.transports import CONTENT, BrokenContent, MemoryContent, RecordingOutcomes, TransportContract

PATH = "mailer/private/smtp.0"


class Filed(MemoryContent):
    """Big content of the queue: a file that both processes can read."""

    filed = True


class Remote:
    """Puts a connection in memory between the suite and the transport."""

    files: dict

    def remote(self, network, transport):
        self.files = {}
        self.server = CallServer(network, TransportService({"transport": transport}, self.content).verbs)
        network.listeners[PATH] = self.server
        return RemoteTransport(Fleet([Client(network, PATH, "smtp.0")]), "transport")

    def content(self, queue_id, octets, inline):
        if inline is not None:
            return MemoryContent(inline)
        content = self.files[queue_id]
        assert content.size == octets
        return content

    def request(self, *addresses, content=None, **more):
        if content is not None and content.inline is None and not isinstance(content, BrokenContent):
            content = Filed(content._octets, False)
        request = super().request(*addresses, content=content, **more)
        if request.content.filed:
            self.files[request.queue_id] = request.content
        return request

    def finish(self, coroutine):
        done = []
        Deferred.fromCoroutine(coroutine).addBoth(done.append)
        self.network.until(lambda: bool(done))
        if done[0] is not None:
            done[0].raiseException()


class TestRemoteSmtp(Remote, TransportContract):
    nexthop = "[192.0.2.1]:25"

    def setup_method(self):
        self.network = MemoryNetwork(window=4096)
        self.peer = self.network.listeners["192.0.2.1", 25] = Peer(Script(("PIPELINING",)), clock=self.network)

    def make_transport(self):
        desk = Desk(ClientParameters(), self.network, lambda: 1e9, RecordingLog(), FakeResolver())
        return self.remote(self.network, SmtpTransport(desk))

    def delivered(self):
        return [mail.content.replace(b"\r\n.", b"\r\n") for mail in self.peer.mails]


class TestRemoteDiscard(Remote, TransportContract):
    nexthop = "silently"

    def make_transport(self):
        self.network = MemoryNetwork()
        return self.remote(self.network, DiscardTransport(RecordingLog()))


class Scripted:
    """A transport that does what the test says, one request at a time."""

    def __init__(self):
        self.requests = []

    async def deliver(self, request, outcomes):
        self.requests.append((request, outcomes))
        self.gate = Deferred()
        await self.gate
        if self.error is not None:
            raise self.error

    error = None


@pytest.fixture
def bench():
    return Bench()


class Bench(Remote, TransportContract):
    def __init__(self):
        self.network = MemoryNetwork()
        self.scripted = Scripted()
        self.transport = self.remote(self.network, self.scripted)

    def begin(self, *addresses, **more):
        self.asked = self.request(*addresses, **more)
        self.outcomes = RecordingOutcomes()
        self.ended = []
        Deferred.fromCoroutine(self.transport.deliver(self.asked, self.outcomes)).addBoth(self.ended.append)
        self.network.settle()
        return self.scripted.requests[-1]

    def end(self, error=None):
        self.scripted.error = error
        self.scripted.gate.callback(None)
        self.network.settle()
        return self.ended[0]


def test_the_request_arrives_as_it_was(bench):
    envelope = Envelope(
        "s\udce4nder@example.org",
        Origin("n", "192.0.2.1", "25", "r", "h", "ESMTP"),
        envid="x",
        ret="HDRS",
        arrival=12.5,
    )
    asked = bench.request("a@example.org", "b@example.org", activated=1.5, started=2.5, probe=True, busy=True, size=77)
    asked.envelope = envelope
    asked.recipients[1] = Recipient("b@example.org", "c@example.org", Notify.SUCCESS | Notify.DELAY, "rfc822;c", 7)
    Deferred.fromCoroutine(bench.transport.deliver(asked, RecordingOutcomes()))
    bench.network.settle()
    ((request, _),) = bench.scripted.requests
    assert request.content.inline == CONTENT
    request.content = asked.content
    assert request == asked


def test_fates_are_told_while_the_delivery_goes_on(bench):
    request, outcomes = bench.begin("a@example.org", "b@example.org")
    outcome = Outcome(
        Fate.SENT,
        "2.1.5",
        "2.0.0 Ok",
        "mx[192.0.2.1]:25",
        3.5,
        "mx",
        "250 ok",
        "relayed",
        dsn_passed_on=True,
        conn_use=3,
    )
    shown = Recipient("alias@example.org", "x", Notify.NEVER, "rfc822;y", 9)
    outcomes.tell(request.recipients[1], outcome, shown)
    outcomes.partial(shown, outcome)
    outcomes.unreachable("4.4.1", "connect to mx: timed out")
    assert not bench.outcomes.told
    bench.network.settle()
    assert bench.outcomes.told == [(bench.asked.recipients[1], outcome)] and not bench.ended
    assert bench.outcomes.parts == [(shown, outcome)]
    assert bench.outcomes.down == [("4.4.1", "connect to mx: timed out")]
    outcomes.tell(request.recipients[0], outcome)
    assert bench.end() is None
    assert len(bench.outcomes.told) == 2


@pytest.mark.parametrize("error", [TransportUnavailable("no program"), TemporaryError("x", "4.4.2", "try later", 421)])
def test_errors_come_back(bench, error):
    bench.begin()
    failure = bench.end(error)
    assert isinstance(failure.value, type(error)) and failure.value.reply == error.reply


def test_a_fault_is_a_fault(bench):
    bench.begin()
    assert bench.end(ZeroDivisionError()).check(RemoteFault)


def test_a_process_that_dies_leaves_its_deliveries_deferred_and_what_was_told_counts(bench):
    request, outcomes = bench.begin("a@example.org", "b@example.org")
    outcomes.tell(request.recipients[0], Outcome.sent("ok"))
    bench.network.settle()
    for caller in list(bench.server.callers):
        caller.transport.abortConnection()
    bench.network.settle()
    assert bench.outcomes.fates == ["a@example.org sent"]
    error = bench.ended[0].value
    assert isinstance(error, MailError) and error.reply.temporary and not isinstance(error, TransportUnavailable)
    assert error.reply.text == "unknown mail transport error"
    # What the lost delivery still has to say reaches nobody, and harms nobody.
    outcomes.tell(request.recipients[1], Outcome.sent("ok"))
    bench.scripted.gate.callback(None)
    bench.network.settle()
    bench.begin()
    bench.end()
    assert len(bench.scripted.requests) == 2


def test_a_service_that_is_not_there_is_unavailable(bench):
    transport = RemoteTransport(bench.transport._fleet, "other")
    ended = []
    Deferred.fromCoroutine(transport.deliver(bench.request(), RecordingOutcomes())).addBoth(ended.append)
    bench.network.settle()
    assert ended[0].check(TransportUnavailable)


class Named:
    def __init__(self, name):
        self.name = name


def test_a_nexthop_stays_with_its_process_until_it_is_busy():
    fleet = Fleet([Named(number) for number in range(4)])
    key = ("smtp", "example.org")
    chosen = [fleet.choose(key).name for _ in range(120)]
    assert len(set(chosen[:50])) == 1 and len(set(chosen)) == 3
    for _ in range(120):
        fleet.ended(key)
    assert fleet.choose(key).name == chosen[0]
    assert len({fleet.choose(("smtp", f"example{number}.org")).name for number in range(50)}) == 4
