"""Lists and the evaluator, beyond what the recorded dialogues show: faults, loops, records, classes of restrictions that
need TLS or SASL, and what is told at start."""

from __future__ import annotations

from typing import Any

import pytest
from access_stand_ins import ADDRESS, World, answer
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from mailer.access import registry
from mailer.access.dnsxl import parse_pattern
from mailer.access.enhanced import fit, split_status
from mailer.access.evaluation import Decision
from mailer.access.restriction import Restriction
from mailer.config.errors import ConfigError
from mailer.interfaces.access import IAccess
from mailer.message.status import TemporaryError
from mailer.message.tls import TlsSession
from mailer.testing.dns import FAILS

CONFIGURATION = "451 4.3.5 Server configuration error"


def test_provides_the_interface() -> None:
    assert verifyObject(IAccess, World().access)


def test_every_restriction_is_known_by_its_own_name() -> None:
    assert all(factory.name == name == name.lower() for name, factory in registry.KNOWN.items())  # type: ignore[attr-defined]
    assert len(registry.KNOWN) > 75


class Broken(Restriction):
    name = "broken"

    async def check(self, state: Any) -> Any:
        raise ValueError("a plug-in's fault")


class Unsure(Restriction):
    name = "unsure"

    async def check(self, state: Any) -> Any:
        raise TemporaryError("who knows")


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {**registry.KNOWN, "broken": Broken, "unsure": Unsure}
    monkeypatch.setattr("mailer.access.service.KNOWN", known)


@pytest.mark.usefixtures("added")
def test_a_fault_costs_a_refusal_for_now_even_behind_warn_if_reject() -> None:
    from twisted.logger import globalLogPublisher

    faults: list[Any] = []
    globalLogPublisher.addObserver(faults.append)
    try:
        world = World(smtpd_recipient_restrictions="warn_if_reject broken, permit")
        assert world.recipient() == CONFIGURATION
    finally:
        globalLogPublisher.removeObserver(faults.append)
    assert [fault["log_failure"].type for fault in faults if "log_failure" in fault] == [ValueError]
    assert world.log.lines == ["error restriction broken failed: ValueError"]


@pytest.mark.usefixtures("added")
def test_what_cannot_be_told_is_refused_for_now() -> None:
    world = World(smtpd_recipient_restrictions="warn_if_reject unsure, permit")
    assert world.recipient() == "451 4.3.0 <u@mail.example>: Temporary lookup failure"


def test_a_class_that_contains_itself_ends() -> None:
    world = World(smtpd_restriction_classes="loop", loop="check_sender_access static:DUNNO, loop",
                  smtpd_recipient_restrictions="loop")  # fmt: skip
    assert world.recipient() == CONFIGURATION


def test_a_template_that_makes_no_sense() -> None:
    world = World({"7.2.0.192.bl.example": {"A": ["127.0.0.2"]}}, smtpd_client_restrictions="reject_rbl_client bl.example",
                  default_rbl_reply="$rbl_code ${rbl_reason?{a}")  # fmt: skip
    assert world.recipient() == CONFIGURATION


def test_without_an_address_verification_service_mail_is_deferred() -> None:
    world = World(smtpd_sender_restrictions="reject_unverified_sender",
                  smtpd_recipient_restrictions="check_recipient_access inline:{bad@mail.example=REJECT}")  # fmt: skip
    assert world.recipient() == "450 4.1.7 <a@example.org>: Sender address rejected: address verification problem"
    assert world.recipient("bad@mail.example").startswith("554 5.7.1 <bad@mail.example>")
    assert world.recipient(sender="") == ""
    assert set(world.log.lines) == {"warning verify service failure"}


def test_mistakes_are_told_at_start_and_cost_only_those_who_come_to_them() -> None:
    world = World(smtpd_recipient_restrictions="permit_mynetworks, no_such_thing", smtpd_data_restrictions="static:OK")
    assert world.access.problems == [
        'smtpd_recipient_restrictions: unknown smtpd restriction: "no_such_thing"',
        "smtpd_data_restrictions: specify one of (check_client_access, check_reverse_client_hostname_access,"
        " check_helo_access, check_sender_access, check_recipient_access, check_etrn_access) before restriction"
        ' "static:OK"',
    ]
    assert world.recipient(address="127.0.0.1") == ""
    assert world.recipient() == CONFIGURATION


@pytest.mark.parametrize(
    "relay", ["", "permit_mynetworks", "warn_if_reject reject", "check_client_access static:reject"]
)
def test_no_open_relay_by_mistake(relay: str) -> None:
    with pytest.raises(ConfigError, match="specify at least one working instance of"):
        World(smtpd_relay_restrictions=relay)


def test_decisions_are_recorded_when_asked_for() -> None:
    record: list[Decision] = []
    world = World(record=record, smtpd_restriction_classes="strict", strict="check_helo_access static:DUNNO, reject",
                  smtpd_client_restrictions="check_client_access inline:{192.0.2=WARN}",
                  smtpd_recipient_restrictions="check_recipient_access inline:{mail.example=strict}")  # fmt: skip
    assert world.recipient() == "554 5.7.1 <u@mail.example>: Recipient address rejected: Access denied"
    refused = "554 5.7.1 <u@mail.example>: Recipient address rejected: Access denied"
    found = [(each.parameter, each.restriction, each.key, each.table, each.answer, each.depth) for each in record]
    assert found == [
        ("smtpd_client_restrictions", "check_client_access inline:{192.0.2=WARN}", "192.0.2", "inline:{192.0.2=WARN}",
         "dunno", 1),
        ("smtpd_relay_restrictions", "permit_mynetworks", "", "", "dunno", 1),
        ("smtpd_relay_restrictions", "permit_sasl_authenticated", "", "", "dunno", 1),
        ("smtpd_relay_restrictions", "reject_unauth_destination", "", "", "dunno", 1),
        ("smtpd_recipient_restrictions", "check_helo_access static:DUNNO", "client.example", "static:DUNNO", "dunno", 3),
        ("smtpd_recipient_restrictions", "reject", "", "", refused, 3),
        ("smtpd_recipient_restrictions", "strict", "", "", refused, 2),
        ("smtpd_recipient_restrictions", "check_recipient_access inline:{mail.example=strict}", "mail.example",
         "inline:{mail.example=strict}", refused, 1),
    ]  # fmt: skip
    assert all(each.seconds >= 0 for each in record)


def test_actions_are_noted_on_the_envelope() -> None:
    actions = ["HOLD for now", "FILTER smtp:[127.0.0.1]:10025", "REDIRECT other@example.net", "BCC archive@example.net",
               "BCC archive@example.net", "BCC second@example.net", "PREPEND X-A: b", "PREPEND X-\u00e4: c",
               "PREPEND X-C: \u00e4"]  # fmt: skip
    world = World(
        smtpd_recipient_restrictions=", ".join(f"check_client_access static:{{{action}}}" for action in actions)
    )
    session = world.session()
    assert world.recipient(session=session) == ""
    envelope = session.envelope
    assert envelope is not None
    assert (envelope.hold, envelope.filter, envelope.redirect) == (
        "for now", "smtp:[127.0.0.1]:10025", "other@example.net")  # fmt: skip
    assert envelope.bcc == ["archive@example.net", "second@example.net"]
    assert envelope.prepend == [b"X-A: b", b"X-C: \xc3\xa4"]
    assert [action for action, _ in session.decisions] == ["hold", "filter", "redirect", "bcc", "bcc", "bcc", "warning"]


def test_discard_ends_all_examination() -> None:
    world = World(smtpd_client_restrictions="check_client_access static:DISCARD", smtpd_recipient_restrictions="reject",
                  smtpd_end_of_data_restrictions="reject")  # fmt: skip
    session = world.session()
    assert world.recipient("u@elsewhere.example", session=session) == ""
    assert session.envelope is not None and session.envelope.discard == "discard"
    session.protocol_state = "END-OF-MESSAGE"
    assert answer(world.access.end_of_data(session)) is None


OWNERS = "inline:{{joe@example.org=joe, jim}, {@team.example=ann}, {local=root}}"


@pytest.mark.parametrize(
    ("restriction", "sender", "login", "expected"),
    [
        ("reject_sender_login_mismatch", "joe@example.org", "joe", ""),
        ("reject_sender_login_mismatch", "joe@example.org", "JIM", ""),
        ("reject_sender_login_mismatch", "joe+x@example.org", "joe", ""),
        ("reject_sender_login_mismatch", "any@team.example", "ann", ""),
        ("reject_sender_login_mismatch", "local@mail.example", "root", ""),
        ("reject_sender_login_mismatch", "joe@example.org", "ann", "not owned by user ann"),
        ("reject_sender_login_mismatch", "free@example.org", "ann", "not owned by user ann"),
        ("reject_sender_login_mismatch", "joe@example.org", "", "not logged in"),
        ("reject_sender_login_mismatch", "free@example.org", "", ""),
        ("reject_sender_login_mismatch", "", "ann", ""),
        ("reject_authenticated_sender_login_mismatch", "joe@example.org", "", ""),
        ("reject_authenticated_sender_login_mismatch", "free@example.org", "joe", "not owned by user joe"),
        ("reject_known_sender_login_mismatch", "free@example.org", "joe", ""),
        ("reject_known_sender_login_mismatch", "joe@example.org", "ann", "not owned by user ann"),
        ("reject_unauthenticated_sender_login_mismatch", "joe@example.org", "", "not logged in"),
        ("reject_unauthenticated_sender_login_mismatch", "joe@example.org", "ann", ""),
    ],
)
def test_sender_addresses_belong_to_logins(restriction: str, sender: str, login: str, expected: str) -> None:
    world = World(smtpd_sasl_auth_enable="yes", smtpd_sender_login_maps=OWNERS, smtpd_sender_restrictions=restriction,
                  recipient_delimiter="+")  # fmt: skip
    text = f"553 5.7.1 <{sender}>: Sender address rejected: {expected}" if expected else ""
    assert world.recipient(sender=sender, login=login) == text


def test_logged_in_clients_may_relay_and_are_known_to_tables() -> None:
    world = World(
        smtpd_sasl_auth_enable="yes", smtpd_client_restrictions="check_sasl_access inline:{{joe=REJECT not you}}"
    )
    assert world.recipient("x@example.com").startswith("554 5.7.1 <x@example.com>: Relay access denied")
    assert world.recipient("x@example.com", login="ann") == ""
    assert world.recipient(login="joe") == "554 5.7.1 <joe>: SASL login name rejected: not you"


def _certificate(trusted: bool = False) -> TlsSession:
    return TlsSession("TLSv1.3", "cipher", 256, presented=True, trusted=trusted, subject="client", issuer="CA",
                      fingerprint="AA:BB", pubkey_fingerprint="CC:DD")  # fmt: skip


@pytest.mark.parametrize(
    ("relay", "tls", "permitted"),
    [
        ("permit_tls_clientcerts", _certificate(), True),
        ("permit_tls_clientcerts", TlsSession("TLSv1.3", "cipher", 256), False),
        ("permit_tls_clientcerts", None, False),
        ("permit_tls_all_clientcerts", _certificate(True), True),
        ("permit_tls_all_clientcerts", _certificate(), False),
        ("permit_tls_all_clientcerts", None, False),
    ],
)
def test_certificates_permit_relaying(relay: str, tls: Any, permitted: bool) -> None:
    world = World(relay_clientcerts="inline:{CC:DD=known}", smtpd_relay_restrictions=f"{relay}, reject")
    assert (world.recipient("x@example.com", tls=tls) == "") is permitted


def test_certificates_are_known_to_tables() -> None:
    table = "inline:{{AA:BB=REJECT by certificate}, {CC:DD=OK}, {client=OK}}"
    world = World(smtpd_tls_ask_ccert="yes", smtpd_client_restrictions=f"check_ccert_access {table}")
    refused = f"554 5.7.1 <unknown[{ADDRESS}]>: Client certificate rejected: by certificate"
    assert world.recipient(tls=_certificate()) == refused
    assert world.recipient(tls=None) == ""
    listed = f"check_ccert_access {{ {table}, {{ search_order = subject_name, cert_fingerprint }} }}, reject"
    world = World(smtpd_tls_ask_ccert="yes", smtpd_client_restrictions=listed)
    assert world.recipient(tls=_certificate()) == ""


def test_encrypted_sessions_are_not_plain() -> None:
    world = World(smtpd_client_restrictions="reject_plaintext_session")
    assert world.recipient() == "450 4.7.1 Session encryption is required"
    assert world.recipient(tls=_certificate()) == ""


def test_addresses_with_colons_on_lists() -> None:
    pointer = "1.0.0.0." + "0." * 20 + "8.b.d.0.1.0.0.2"
    world = World({f"{pointer}.bl.example": {"A": ["127.0.0.2"]}}, smtpd_client_restrictions="reject_rbl_client bl.example",
                  inet_protocols="all")  # fmt: skip
    reply = world.recipient(address="2001:db8::1")
    assert reply == "554 5.7.1 Service unavailable; Client host [2001:db8::1] blocked using bl.example"
    assert world.recipient(address="2001:db8::2") == ""


def test_addresses_with_colons_in_tables() -> None:
    world = World(smtpd_client_restrictions="check_client_access inline:{2001:db8=REJECT}")
    assert world.recipient(address="2001:db8::1").startswith("554")
    assert world.recipient(address="2001:db9::1") == ""


def test_a_list_without_an_answer_is_asked_once_for_a_session() -> None:
    world = World({"7.2.0.192.bl.example": FAILS}, smtpd_client_restrictions="reject_rbl_client bl.example")
    session = world.session()
    assert [world.recipient(session=session) for _ in range(3)] == ["", "", ""]
    assert world.dns.queries.count(("A", "7.2.0.192.bl.example")) == 1
    assert len(world.log.lines) == 1


def test_nothing_suspends_in_memory() -> None:
    """`answer` in World.recipient fails if it does; this names what an ordinary configuration has."""
    world = World(
        {"example.org": {"MX": [(10, "mx.example.org")]}},
        smtpd_helo_restrictions="reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname",
        smtpd_sender_restrictions="reject_non_fqdn_sender, reject_unknown_sender_domain",
        smtpd_recipient_restrictions="reject_non_fqdn_recipient, check_client_access cidr:{{10.0.0.0/8 REJECT}}",
    )
    assert world.recipient() == ""


@given(st.text(alphabet="0123456789.[];", max_size=30))
def test_patterns_are_four_sets_of_numbers_or_a_declared_error(text: str) -> None:
    try:
        octets = parse_pattern(text)
    except ConfigError as error:
        assert str(error).startswith("RBL reply error: ")
    else:
        assert len(octets) == 4 and all(octets) and all(0 <= number <= 255 for octet in octets for number in octet)


def test_patterns() -> None:
    assert parse_pattern("127.0.0.[2;4..6;9]") == ({127}, {0}, {0}, {2, 4, 5, 6, 9})
    assert parse_pattern("127.[0..255].0.1")[1] == set(range(256))


def test_status_codes() -> None:
    assert split_status("5.7.1 text here", "4.7.1") == ("5.7.1", "text here")
    assert split_status("5.7.1", "4.7.1") == ("5.7.1", "")
    assert split_status("5.7.1x", "4.7.1") == ("4.7.1", "5.7.1x")
    assert split_status("3.7.1 text", "4.7.1") == ("4.7.1", "3.7.1 text")
    assert fit("5.1.1", "Sender address") == "5.1.7"
    assert fit("4.1.8", "Recipient address") == "4.1.2"
    assert fit("4.1.8", "Client host") == "4.0.0"
    assert fit("5.7.1", "Sender address") == "5.7.1"
