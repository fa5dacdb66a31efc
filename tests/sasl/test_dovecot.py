"""The client of Dovecot's auth service: its protocol, its connection, what it makes of answers."""

from __future__ import annotations

import base64
import errno
from types import SimpleNamespace

import pytest
from auth_servers import DovecotAuth
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from mailer.config.errors import ConfigError
from mailer.message.sasl import Login, SaslAborted, SaslPeer, SaslRefused
from mailer.message.status import TemporaryError
from mailer.sasl.dovecot import DovecotServer
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog
from mailer.testing.network import MemoryNetwork
from mailer.wire.dovecot import BadGreeting, Greeting, LineReader, parse_said, request

BOB = base64.b64encode(b"\0bob\0secret").decode()
PEER = SaslPeer(client_address="192.0.2.7", server_address="192.0.2.1")


async def nothing_to_ask(challenge):
    raise AssertionError(challenge)


class World:
    """``auth`` is Dovecot; ``ask(answers)`` plays a client."""

    def __init__(self, where="private/auth", listen="/q/private/auth", zone=None):
        self.auth = DovecotAuth()
        self.network = MemoryNetwork({listen: self.auth})
        self.log = RecordingLog()
        context = SimpleNamespace(
            reactor=self.network,
            dns=FakeResolver(zone or {}),
            log=self.log,
            queue_directory="/q",
        )
        numbers = iter(range(1, 100))
        self.server = DovecotServer(where, context, lambda count: next(numbers).to_bytes(count, "big"))

    def run(self, coroutine):
        results = []
        Deferred.fromCoroutine(coroutine).addBoth(results.append)
        self.network.settle()
        return results

    def login(self, mechanism="PLAIN", initial=BOB, peer=PEER, ask=nothing_to_ask):
        return self.run(self.server.authenticate(mechanism, initial, peer, ask))

    def result(self, *arguments, **more):
        [result] = self.login(*arguments, **more)
        return getattr(result, "value", result)


def test_a_login():
    world = World()
    assert world.result() == Login("bob")
    assert world.auth.heard == [
        "VERSION\t1\t0",
        "CPID\t0",
        f"AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.1\trip=192.0.2.7\tresp={BOB}",
    ]


def test_tls_and_certificates_are_told():
    world = World()
    world.result(peer=SaslPeer("submission", encrypted=True, certified=True))
    assert (
        world.auth.heard[-1] == f"AUTH\t1\tPLAIN\tservice=submission\tnologin\tsecured\tvalid-client-cert\tresp={BOB}"
    )


def test_challenges_and_abort():
    world = World()
    answers = [b"bob", b"secret"]

    async def ask(challenge):
        said = answers.pop(0)
        if said == b"*":
            raise SaslAborted
        return base64.b64encode(said).decode()

    assert world.result("LOGIN", None, ask=ask) == Login("bob")
    answers[:] = [b"bob", b"*"]
    assert isinstance(world.result("LOGIN", None, ask=ask), SaslAborted)
    assert len(world.auth.connections) == 1


def test_logins_at_the_same_time_share_a_connection_and_get_their_own_answers():
    world = World()
    asked = []

    async def slowly(challenge):
        asked.append(Deferred())
        return await asked[-1]

    first = world.login("PLAIN", None, ask=slowly)
    second = world.login("PLAIN", None, ask=slowly)
    assert not first and not second
    asked[1].callback(base64.b64encode(b"\0bob\0wrong").decode())
    world.network.settle()
    asked[0].callback(BOB)
    world.network.settle()
    assert first == [Login("bob")]
    assert second[0].value.username == "bob"
    assert len(world.auth.connections) == 1


def test_those_who_ask_while_the_connection_is_made_share_it():
    world = World()
    results = []
    for _ in range(3):
        Deferred.fromCoroutine(world.server.authenticate("PLAIN", BOB, PEER, nothing_to_ask)).addBoth(results.append)
    world.network.settle()
    assert results == [Login("bob")] * 3
    assert len(world.auth.connections) == 1


@pytest.mark.parametrize(
    ("answer", "text", "username", "temporary"),
    [
        ("FAIL\t#\tuser=u\ttemp", "(reason unavailable)", "u", True),
        ("FAIL\t#\tuser=u\treason=Later, please\ttemp", "Later, please", "u", True),
        ("FAIL\t#\tuser=u\tauthz", "(reason unavailable)", "u", False),
        ("FAIL\t#\tcode=x\treason=a\x01tb", "a\tb", "", False),
        ("FAIL\t#", "(reason unavailable)", "", False),
        ("OK\t#", "Authentication backend error", "", True),
    ],
)
def test_failures(answer, text, username, temporary):
    world = World()
    world.auth.script = [answer]
    refused = world.result()
    assert (refused.text, refused.username, refused.temporary) == (text, username, temporary)


def test_answers_to_nobody_are_passed_over():
    world = World()
    world.auth.script = ["FAIL\t77\tuser=x\nNEWS\t#\nOK\nOK\t#\tuser=y\tnologin\tproxy"]
    assert world.result() == Login("y")


def test_a_lost_connection_fails_for_now_and_is_made_anew():
    world = World()
    world.auth.drop = True
    refused = world.result()
    assert (refused.text, refused.temporary) == ("Connection lost to authentication server", True)
    world.auth.drop = False
    assert world.result() == Login("bob")
    assert [line for line in world.auth.heard if line.startswith("CPID")] == ["CPID\t0", "CPID\t1"]


def test_an_idle_connection_that_dovecot_closed_is_made_anew():
    world = World()
    world.result()
    world.auth.connections[0].transport.loseConnection()
    world.network.settle()
    assert world.result() == Login("bob")
    assert len(world.auth.connections) == 2


def test_no_answer_in_time():
    world = World()
    world.auth.script = [""]
    results = world.login()
    assert not results
    world.network.until(lambda: bool(results), seconds=40)
    assert results[0].value.temporary


@pytest.mark.parametrize(
    ("listener", "why"),
    [
        (errno.ECONNREFUSED, "Connection refused"),
        (errno.ENOENT, "No such file or directory"),
        (None, "Connection timed out"),
    ],
)
def test_dovecot_is_not_there(listener, why):
    world = World()
    world.network.listeners["/q/private/auth"] = listener
    results = world.run(world.server.mechanisms())
    world.network.until(lambda: bool(results))
    assert results[0].check(TemporaryError)
    assert world.log.lines == [f"warning SASL: Connect to Dovecot auth socket 'private/auth' failed: {why}"]


@pytest.mark.parametrize("said", ["", "VERSION\t1\t1\n", "VERSION\t2\t0\nDONE\n", "MECH\tPLAIN\nDONE\n", "x" * 70000])
def test_greetings_that_are_none(said):
    world = World()
    world.auth.greeting = said
    results = world.run(world.server.mechanisms())
    world.network.until(lambda: bool(results), seconds=12)
    assert results[0].check(TemporaryError)
    assert len(world.log.lines) == 1


def test_over_tcp_by_name():
    world = World(
        "inet:dovecot.example:12345", ("192.0.2.9", 12345), {"dovecot.example": {"A": ["192.0.2.8", "192.0.2.9"]}}
    )
    assert world.result() == Login("bob")


@pytest.mark.parametrize("where", ["inet:host", "inet:host:0", "inet:host:x", "inet:host:70000"])
def test_no_address(where):
    with pytest.raises(ConfigError):
        World(where)


def test_closing_lets_waiters_know():
    world = World()
    world.auth.script = [""]
    results = world.login()
    world.server.close()
    world.network.settle()
    assert isinstance(results[0].value, SaslRefused)


@given(st.text(max_size=40), st.text(max_size=40))
def test_nothing_that_a_client_sends_ends_a_field(mechanism, initial):
    line = request(7, mechanism, ["service=smtp"], initial).decode("utf-8", "surrogatepass")
    assert line.count("\n") == 1 and line.count("\t") == 4


@given(st.binary(max_size=200), st.integers(1, 9))
def test_lines_arrive_in_any_pieces(octets, size):
    whole, pieces = LineReader(), LineReader()
    expected = list(whole.feed(octets))
    assert [line for at in range(0, len(octets), size) for line in pieces.feed(octets[at : at + size])] == expected
    for line in expected:
        parse_said(line)
        try:
            Greeting().take(line)
        except BadGreeting as error:
            assert str(error)
