"""Where encryption and authentication come in: asked in order, able to refuse, and keeping sessions apart."""

import pytest
from twisted.internet.defer import Deferred

from mailer.deliver.smtp.desk import Desk
from mailer.deliver.smtp.greeting import hello
from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.policy import PlainPolicy
from mailer.deliver.smtp.reason import Reason
from mailer.deliver.smtp.session import MessageRefused, SiteFailed
from mailer.deliver.smtp.transport import SmtpTransport
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Envelope, Recipient
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog
from mailer.testing.network import MemoryNetwork
from mailer.testing.peer import Peer, Script
from mailer.testing.transports import MemoryContent, RecordingOutcomes
from mailer.wire.smtp.client import Step


class Policy(PlainPolicy):
    """Does what a test says at each point; sessions belong to one sender."""

    def __init__(self, desk=None, connected=None, established=None):
        self.asked = []
        self.desk = desk
        self._connected, self._established = connected, established

    async def key(self, destination, request):
        return request.envelope.sender

    async def connected(self, session, destination, request):
        self.asked.append(("connected", session.relay, destination.site))
        if self._connected is not None:
            raise self._connected

    async def established(self, session, destination, request):
        self.asked.append(("established", session.relay, session.offers.host))
        if self._established is not None:
            raise self._established


def rig(policy, *scripts):
    network = MemoryNetwork()
    peer = network.listeners["192.0.2.1", 25] = Peer(*scripts, clock=network)
    desk = Desk(ClientParameters(), network, lambda: 1e9, RecordingLog(), FakeResolver(), policy=policy)
    return network, peer, desk, SmtpTransport(desk)


def deliver(network, transport, sender="s@x.example"):
    outcomes, done = RecordingOutcomes(), []
    request = DeliveryRequest(
        "QID", Envelope(sender), MemoryContent(b"Subject: x\r\n\r\nx\r\n"), "smtp", "[192.0.2.1]",
        [Recipient("a@x.example")], busy=True,
    )  # fmt: skip
    Deferred.fromCoroutine(transport.deliver(request, outcomes)).addBoth(done.append)
    network.settle()
    assert done == [None]
    return outcomes


def test_it_is_asked_once_for_each_session_before_and_after_the_handshake():
    policy = Policy()
    network, peer, _, transport = rig(policy)
    deliver(network, transport), deliver(network, transport)
    assert policy.asked == [
        ("connected", "192.0.2.1[192.0.2.1]:25", "[192.0.2.1]"),
        ("established", "192.0.2.1[192.0.2.1]:25", "peer.example"),
    ]


def test_sessions_with_different_keys_are_not_shared():
    network, peer, _, transport = rig(Policy())
    deliver(network, transport, "one@x.example"), deliver(network, transport, "two@x.example")
    assert len(peer.sessions) == 2


REASON = Reason("4.7.5", "not like this")


@pytest.mark.parametrize("where", ["connected", "established"])
@pytest.mark.parametrize(
    "error, down", [(SiteFailed(REASON), [("4.7.5", "not like this")]), (MessageRefused(REASON), [])]
)
def test_a_refusal_is_the_recipients_fate(where, error, down):
    network, peer, _, transport = rig(Policy(**{where: error}))
    outcomes = deliver(network, transport)
    assert outcomes.fates == ["a@x.example deferred"] and outcomes.down == down
    assert not peer.mails and peer.sessions[0].lost


class Upgrading(PlainPolicy):
    """Says STARTTLS, and EHLO again, without any encryption in between."""

    desk = None

    async def established(self, session, destination, request):
        reply = await session.connection.command(b"STARTTLS", Step.STARTTLS)
        assert reply.code == 220 and session.connection.conversation.quiet
        await hello(session, request, False, self.desk)


def test_a_policy_may_say_commands_and_ehlo_again():
    policy = Upgrading()
    script = Script(STARTTLS="220 go", EHLO=["250-peer.example\n250 STARTTLS", "250-peer.example\n250 PIPELINING"])
    network, peer, policy.desk, transport = rig(policy, script)
    assert deliver(network, transport).fates == ["a@x.example sent"]
    assert [command.split()[0] for command in peer.commands[0][:4]] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]
