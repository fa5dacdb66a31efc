"""The policy client: connections used again, time-outs, retries, answers that make no sense."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from access_stand_ins import World
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from mailer.access.policy import PolicyClient, PolicyFailed
from mailer.access.policyserver import parse
from mailer.config.errors import ConfigError
from mailer.message.tls import TlsSession
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog

TERMS = SimpleNamespace(
    smtpd_policy_service_timeout=100.0,
    smtpd_policy_service_max_idle=300.0,
    smtpd_policy_service_max_ttl=1000.0,
    smtpd_policy_service_retry_delay=1.0,
    smtpd_policy_service_try_limit=2,
    smtpd_policy_service_request_limit=0,
    smtpd_policy_service_default_action="451 4.3.5 Server configuration problem",
    smtpd_policy_service_policy_context="",
)
REQUEST = b"request=smtpd_access_policy\n\n"


class Reactor(Clock):
    """Connects at once, or not at all; ``protocols`` are the connections made."""

    def __init__(self) -> None:
        super().__init__()
        self.protocols: list[Any] = []
        self.places: list[Any] = []
        self.refuses = 0

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float) -> None:
        self._connect((host, port), factory)

    def connectUNIX(self, path: str, factory: Any, timeout: float) -> None:
        self._connect(path, factory)

    def _connect(self, place: Any, factory: Any) -> None:
        self.places.append(place)
        if self.refuses:
            self.refuses -= 1
            factory.clientConnectionFailed(None, Failure(ConnectionRefusedError(osError=111)))
            return
        protocol = factory.buildProtocol(None)
        self.protocols.append(protocol)
        protocol.makeConnection(StringTransport())


class Service:
    """A client, its reactor and log, and its server's part."""

    def __init__(self, server: str = "inet:127.0.0.1:10023", zone: Any = None, **terms: Any) -> None:
        self.reactor = Reactor()
        self.log = RecordingLog()
        settings = SimpleNamespace(**{**vars(TERMS), **terms}, queue_directory="/var/spool/postfix")
        context = SimpleNamespace(
            reactor=self.reactor,
            log=self.log,
            dns=FakeResolver(zone or {}),
            settings=settings,
            queue_directory=settings.queue_directory,
        )
        self.client = PolicyClient(parse(server, settings), context)

    def ask(self) -> Deferred[str]:
        return Deferred.fromCoroutine(self.client.ask(REQUEST))

    def answer(self, octets: bytes, call: int = -1) -> None:
        connection = self.reactor.protocols[call]
        assert connection.transport.value() == REQUEST
        connection.transport.clear()
        connection.dataReceived(octets)

    def lose(self, call: int = -1) -> None:
        self.reactor.protocols[call].connectionLost(Failure(ConnectionDone()))


def result(deferred: Deferred[str]) -> Any:
    found: list[Any] = []
    deferred.addBoth(found.append)
    assert found, "no answer yet"
    if isinstance(found[0], Failure):
        found[0].raiseException()
    return found[0]


def test_one_connection_serves_one_request_after_the_other() -> None:
    service = Service()
    for _ in range(3):
        asked = service.ask()
        service.answer(b"action=dunno\n\n")
        assert result(asked) == "dunno"
    assert service.reactor.places == [("127.0.0.1", 10023)]


def test_requests_at_the_same_time_have_a_connection_each() -> None:
    service = Service()
    first, second = service.ask(), service.ask()
    service.answer(b"action=one\n\n", 0)
    service.answer(b"action=two\n\n", 1)
    assert (result(first), result(second)) == ("one", "two")
    service.ask()
    assert len(service.reactor.protocols) == 2


def test_an_answer_in_pieces_with_other_attributes() -> None:
    service = Service()
    asked = service.ask()
    for octet in b"comment=hm\naction=450 4.7.1 later\n\n":
        service.reactor.protocols[0].dataReceived(bytes((octet,)))
    assert result(asked) == "450 4.7.1 later"


def test_a_lost_connection_is_tried_again_without_a_word() -> None:
    service = Service()
    asked = service.ask()
    service.lose()
    service.reactor.advance(1)
    service.answer(b"action=ok\n\n")
    assert result(asked) == "ok"
    assert service.log.lines == []


def test_after_the_last_attempt_the_log_says_why() -> None:
    service = Service()
    service.reactor.refuses = 2
    asked = service.ask()
    service.reactor.advance(1)
    with pytest.raises(PolicyFailed):
        result(asked)
    assert (
        service.log.lines
        == [
            "warning connect to 127.0.0.1:10023: Connection refused",
            "warning problem talking to server 127.0.0.1:10023: Connection refused",
        ]
        * 2
    )


def test_a_silent_server_costs_the_time_limit() -> None:
    service = Service(smtpd_policy_service_try_limit=1, smtpd_policy_service_timeout=10.0)
    asked = service.ask()
    service.reactor.advance(10)
    with pytest.raises(PolicyFailed):
        result(asked)
    assert service.log.lines == ["warning problem talking to server 127.0.0.1:10023: Connection timed out"]
    assert service.reactor.protocols[0].transport.disconnecting


@pytest.mark.parametrize("octets", [b"x" * 70000, b"action=a\n\naction=b\n\n", b"reaction=ok\n\n"])
def test_answers_that_make_no_sense_end_the_connection(octets: bytes) -> None:
    service = Service(smtpd_policy_service_try_limit=1)
    asked = service.ask()
    service.answer(octets)
    with pytest.raises(PolicyFailed):
        result(asked)
    assert service.reactor.protocols[0].transport.disconnecting
    service.ask()
    assert len(service.reactor.protocols) == 2


def test_a_word_that_nobody_asked_for_ends_the_connection() -> None:
    service = Service()
    asked = service.ask()
    service.answer(b"action=ok\n\n")
    assert result(asked) == "ok"
    service.reactor.protocols[0].dataReceived(b"action=discard\n\n")
    asked = service.ask()
    service.answer(b"action=dunno\n\n", 1)
    assert result(asked) == "dunno"


def test_idle_connections_are_closed() -> None:
    service = Service()
    asked = service.ask()
    service.answer(b"action=ok\n\n")
    result(asked)
    service.reactor.advance(300)
    assert service.reactor.protocols[0].transport.disconnecting
    assert not service.reactor.getDelayedCalls()


def test_old_connections_and_those_much_used_are_not_used_again() -> None:
    service = Service(smtpd_policy_service_max_ttl=5.0, smtpd_policy_service_request_limit=2)
    for _ in range(2):
        asked = service.ask()
        service.answer(b"action=ok\n\n")
        result(asked)
    assert service.reactor.protocols[0].transport.disconnecting
    asked = service.ask()
    service.answer(b"action=ok\n\n", 1)
    result(asked)
    service.reactor.advance(5)
    service.ask()
    assert len(service.reactor.protocols) == 3


def test_close_leaves_nothing() -> None:
    service = Service()
    asked = service.ask()
    service.answer(b"action=ok\n\n")
    result(asked)
    service.client.close()
    assert service.reactor.protocols[0].transport.disconnecting
    assert not service.reactor.getDelayedCalls()


def test_host_names_and_sockets() -> None:
    service = Service("inet:policy.example:10023", {"policy.example": {"A": ["192.0.2.1", "192.0.2.2"]}})
    service.reactor.refuses = 1
    service.ask()
    assert service.reactor.places == [("192.0.2.1", 10023), ("192.0.2.2", 10023)]
    service = Service("unix:private/policy")
    service.ask()
    assert service.reactor.places == ["/var/spool/postfix/private/policy"]


def test_terms_of_one_server() -> None:
    server = parse(
        "{ inet:[::1]:10023, timeout=10s, try_limit=1, max_ttl=1h, { default_action = 450 4.7.9 own words } }", TERMS
    )
    assert (server.host, server.port, server.timeout, server.try_limit) == ("::1", 10023, 10, 1)
    assert (server.max_ttl, server.default_action, server.max_idle) == (3600, "450 4.7.9 own words", 300)


@pytest.mark.parametrize(
    "argument", ["inet:host", "inet:host:0", "inet:host:70000", "{}", "{inet:h:1,timeout=x}", "unix:"]
)
def test_wrong_servers(argument: str) -> None:
    with pytest.raises(ConfigError):
        parse(argument, TERMS)


def test_attributes_of_logged_in_and_encrypted_clients() -> None:
    world = World(smtpd_recipient_restrictions="check_policy_service inet:127.0.0.1:10031")
    asked: list[bytes] = []

    def connect(host: str, port: int, factory: Any, timeout: float) -> None:
        transport = StringTransport()
        protocol = factory.buildProtocol(None)
        transport.write = lambda data: (asked.append(data), protocol.dataReceived(b"action=OK\n\n"))  # type: ignore[assignment]
        protocol.makeConnection(transport)

    world.server.clock.connectTCP = connect
    tls = TlsSession("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, presented=True, trusted=True, subject="a b=c", issuer="CA",
                     fingerprint="AA:BB", pubkey_fingerprint="CC:DD")  # fmt: skip
    assert world.recipient(login="joe", tls=tls) == ""
    lines = asked[0].decode().split("\n")
    assert lines[18:29] == [
        "sasl_method=PLAIN",
        "sasl_username=joe",
        "sasl_sender=",
        "ccert_subject=a+20b+3Dc",
        "ccert_issuer=CA",
        "ccert_fingerprint=AA:BB",
        "ccert_pubkey_fingerprint=CC:DD",
        "encryption_protocol=TLSv1.3",
        "encryption_cipher=TLS_AES_256_GCM_SHA384",
        "encryption_keysize=256",
        "policy_context=",
    ]


def test_no_value_brings_a_line_of_its_own() -> None:
    world = World(smtpd_recipient_restrictions="check_policy_service inet:127.0.0.1:10031")
    asked: list[bytes] = []

    def connect(host: str, port: int, factory: Any, timeout: float) -> None:
        transport = StringTransport()
        protocol = factory.buildProtocol(None)
        transport.write = lambda data: (asked.append(data), protocol.dataReceived(b"action=OK\n\n"))  # type: ignore[assignment]
        protocol.makeConnection(transport)

    world.server.clock.connectTCP = connect
    world.recipient(sender="a\nsasl_username=root@example.org")
    assert asked[0].count(b"sasl_username=") == 2 and b"\nsasl_username=root" not in asked[0]
