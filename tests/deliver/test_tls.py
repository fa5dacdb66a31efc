"""TLS of the SMTP client in memory: levels, policies, verdicts and what is said of them, as recorded from Postfix."""

from __future__ import annotations

import pytest
from certificates import authority, both, certificate
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from tls_client_rig import MX, NOT_VERIFIED, READY, RELAY, SENT, Rig, TlsPeer, established
from twisted.internet.defer import Deferred

from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Envelope, Recipient
from mailer.testing.peer import Script
from mailer.testing.transports import MemoryContent, RecordingOutcomes
from mailer.tls.description import fingerprint, key_fingerprint


@pytest.fixture
def ca(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_bytes(authority())
    return str(path)


@pytest.mark.parametrize("level", ["may", "encrypt"])
def test_a_message_under_tls(level, ca):
    rig = Rig(smtp_tls_security_level=level, smtp_tls_CAfile=ca)
    assert rig.deliver() == SENT
    assert rig.commands[0][:4] == ["EHLO client.test", "STARTTLS", "EHLO client.test", "MAIL FROM:<s@x.test>"]
    assert rig.log.lines[0].startswith(f"info Trusted TLS connection established to {RELAY}: TLSv1.3 with cipher ")
    assert established(rig) == ["Trusted"]
    written = b"".join(rig.network.wires[0].written)
    assert written.startswith(b"EHLO client.test\r\nSTARTTLS\r\n\x16") and b"MAIL" not in written


def test_without_a_trusted_authority_encryption_is_untrusted():
    rig = Rig()
    assert rig.deliver() == SENT and established(rig) == ["Untrusted"]


def test_before_tls_1_3_the_cipher_says_it_all():
    rig = Rig(TlsPeer(highest=SSL.TLS1_2_VERSION))
    assert rig.deliver() == SENT
    assert rig.log.lines[0] == (
        f"info Untrusted TLS connection established to {RELAY}:"
        " TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)"
    )


@pytest.mark.parametrize("level, note", [("none", "yes"), ("", "yes"), ("none", "no")])
def test_without_tls_an_offer_may_be_noted(level, note):
    rig = Rig(smtp_tls_security_level=level, smtp_tls_note_starttls_offer=note)
    assert rig.deliver() == SENT
    assert rig.log.lines == (["info Host offered STARTTLS: [mx.a.test]"] if note == "yes" else [])
    assert "STARTTLS" not in rig.commands[0]


def server(*extensions, **answers):
    return TlsPeer(Script(extensions=extensions, **answers))


def test_a_server_without_tls():
    assert Rig(server()).deliver() == SENT
    rig = Rig(server(), smtp_tls_security_level="encrypt")
    assert rig.deliver() == (
        f"deferred 4.7.4 {RELAY} TLS is required, but was not offered by host mx.a.test[192.0.2.1]"
    )
    assert rig.outcomes.down and "MAIL" not in " ".join(rig.commands[0])


def test_a_server_that_does_not_know_ehlo_offers_no_tls():
    rig = Rig(server("STARTTLS", EHLO="502 what", STARTTLS=READY), smtp_tls_security_level="encrypt")
    assert "4.7.4" in rig.deliver() and rig.commands[0] == ["EHLO client.test", "HELO client.test", "QUIT"]


@pytest.mark.parametrize(
    "answer, fate",
    [("454 4.7.0 not now", "deferred 4.7.0"), ("502 5.5.1 no such", "bounced 5.5.1")],
)
def test_a_server_that_refuses_to_start(answer, fate):
    rig = Rig(server("STARTTLS", STARTTLS=answer))
    assert rig.deliver() == SENT
    assert rig.commands[0][:3] == ["EHLO client.test", "STARTTLS", "MAIL FROM:<s@x.test>"]
    rig = Rig(server("STARTTLS", STARTTLS=answer), smtp_tls_security_level="encrypt")
    assert rig.deliver() == (
        f"{fate} {RELAY} TLS is required, but host mx.a.test[192.0.2.1] refused to start TLS: {answer}"
    )


def test_a_server_that_hangs_up_at_starttls():
    rig = Rig(server("STARTTLS", STARTTLS="drop"), smtp_tls_security_level="encrypt")
    text = "lost connection with mx.a.test[192.0.2.1] while receiving the STARTTLS response"
    assert rig.deliver() == f"deferred 4.4.2 {RELAY} {text}"


def broken(kind):
    """A server whose handshake does not work, the first time."""
    answers = {
        "lost connection": f"{READY}|drop",
        "-1": f"{READY}\nhello, this is no TLS",
        "Connection timed out": READY,
    }
    peer = server("STARTTLS", STARTTLS=answers[kind])
    peer.context = None
    return peer


CANNOT = f"deferred 4.7.5 {RELAY} Cannot start TLS: handshake failure"


@pytest.mark.parametrize("kind", ["lost connection", "Connection timed out"])
@pytest.mark.parametrize("level", ["may", "encrypt"])
def test_a_handshake_that_fails(kind, level):
    rig = Rig(broken(kind), smtp_tls_security_level=level, smtp_starttls_timeout="20s")
    assert rig.deliver(seconds=30) == CANNOT
    assert rig.log.lines == [f"info SSL_connect error to {RELAY}: {kind}"]
    # Only mandatory TLS says something about the destination as a whole.
    assert bool(rig.outcomes.down) is (level == "encrypt")
    assert len(rig.commands) == 1 and rig.network.wires[0].written[-1] != b"QUIT\r\n"


def test_mail_that_has_waited_is_sent_in_plaintext_if_tls_is_optional():
    rig = Rig(broken("lost connection"), minimal_backoff_time="300s")
    assert rig.deliver(waited=299) == CANNOT
    rig.log.lines.clear()
    assert rig.deliver(waited=300) == SENT
    assert rig.log.lines == [
        f"info SSL_connect error to {RELAY}: lost connection",
        "info QID: Cannot start TLS: handshake failure",
    ]
    assert rig.commands[-1][:2] == ["EHLO client.test", "MAIL FROM:<s@x.test>"]
    rig = Rig(broken("lost connection"), smtp_tls_security_level="encrypt")
    assert rig.deliver(waited=100_000) == CANNOT and len(rig.commands) == 1


def test_a_session_that_breaks_off_under_optional_tls_is_tried_in_plaintext():
    good = Script(extensions=("STARTTLS",), STARTTLS=READY)
    peer = TlsPeer(Script(extensions=("STARTTLS",), STARTTLS=READY, MAIL="drop"), good)
    rig = Rig(peer)
    assert rig.deliver(waited=1000) == SENT
    assert rig.log.lines[1] == "info QID: lost connection with mx.a.test[192.0.2.1] while sending MAIL FROM"
    assert "STARTTLS" not in rig.commands[1]


@pytest.mark.parametrize("injected", ["250 evil", "250-evil", "junk", "421 4.3.0 bye"])
def test_what_a_server_sends_behind_its_consent_is_forgotten(injected):
    rig = Rig(server("STARTTLS", "8BITMIME", STARTTLS=f"{READY}\n{injected}"), smtp_tls_security_level="encrypt")
    assert rig.deliver() == SENT
    assert established(rig) == ["Untrusted"]


def test_what_was_offered_in_plaintext_is_forgotten():
    plain = "250-peer.example\n250-STARTTLS\n250-SIZE 1\n250 PIPELINING"
    rig = Rig(server(EHLO=[plain, "500 no"], STARTTLS=READY), smtp_tls_security_level="encrypt")
    assert rig.deliver() == SENT
    assert rig.commands[0][2:5] == ["EHLO client.test", "HELO client.test", "MAIL FROM:<s@x.test>"]


def verified(chain, level, ca, **more):
    rig = Rig(TlsPeer(chain=chain), smtp_tls_security_level=level, smtp_tls_CAfile=ca, **more)
    return rig, rig.deliver()


def test_verify_looks_at_the_servers_name(ca):
    rig, fate = verified(both(**MX), "verify", ca)
    assert fate == SENT and established(rig) == ["Verified"]
    rig, fate = verified(both("b.test", names=("b.test",)), "verify", ca)
    assert fate == NOT_VERIFIED and rig.commands[0][-1] == "QUIT" and rig.outcomes.down
    assert rig.log.lines[0] == f"info server certificate verification failed for {RELAY}: num=62:hostname mismatch"
    assert established(rig) == ["Untrusted"]
    rig, fate = verified(both("b.test", names=("b.test",)), "verify", ca, smtp_tls_verify_cert_match="b.test")
    assert fate == SENT


def test_secure_looks_at_the_destinations_name(ca):
    assert verified(both("x.a.test", names=("x.a.test",)), "secure", ca)[1] == SENT
    assert verified(both("a.test"), "secure", ca)[1] == SENT
    assert verified(both("b.test"), "secure", ca)[1] == NOT_VERIFIED
    assert verified(both("b.test"), "secure", ca, smtp_tls_secure_cert_match="x:b.test")[1] == SENT


@pytest.mark.parametrize(
    "chain, why",
    [
        (both("mx.a.test", issuer="", number=2), "self-signed certificate"),
        (both("mx.a.test", issuer="Other CA"), "untrusted issuer /CN=Other CA"),
        (both("mx.a.test", days=-1), "certificate has expired"),
    ],
)
def test_a_chain_that_cannot_be_trusted(chain, why, ca):
    rig, fate = verified(chain, "verify", ca)
    assert fate == NOT_VERIFIED
    role = "server " if why == "certificate has expired" else ""
    assert rig.log.lines[0] == f"info {role}certificate verification failed for {RELAY}: {why}"
    rig, fate = verified(chain, "encrypt", ca)
    assert fate == SENT and established(rig) == ["Untrusted"] and len(rig.log.lines) == 1


def test_fingerprints():
    mine = certificate(**MX)
    whole = fingerprint(mine.public_bytes(Encoding.DER), hashes.SHA256())
    for value in (whole, whole.lower().replace(":", ""), key_fingerprint(mine, hashes.SHA256()), f"00:11|{whole}"):
        rig = Rig(smtp_tls_security_level="fingerprint", smtp_tls_fingerprint_cert_match=value)
        assert rig.deliver() == SENT and established(rig) == ["Verified"]
    rig = Rig(smtp_tls_security_level="fingerprint", smtp_tls_fingerprint_cert_match=f"{whole[:-2]}00, 00:11")
    assert rig.deliver() == NOT_VERIFIED
    rig = Rig(smtp_tls_security_level="fingerprint")
    assert rig.deliver() == "deferred 4.7.5 none client TLS configuration problem" and not rig.commands


def test_trust_anchors_replace_authorities(tmp_path, ca):
    other = tmp_path / "other.pem"
    other.write_bytes(certificate("mx.a.test", issuer="", number=2).public_bytes(Encoding.PEM))
    assert (
        verified(both("mx.a.test", issuer="", number=2), "verify", ca, smtp_tls_trust_anchor_file=str(other))[1] == SENT
    )
    assert verified(both(**MX), "verify", ca, smtp_tls_trust_anchor_file=str(other))[1] == NOT_VERIFIED
    rig, fate = verified(both(**MX), "verify", ca, smtp_tls_trust_anchor_file="/nonexistent")
    assert fate == "deferred 4.7.5 none client TLS configuration problem"
    assert rig.log.lines[0] == "warning error opening trust anchor file: /nonexistent: No such file or directory"


@pytest.mark.parametrize(
    "policy, fate, first",
    [
        ("a.test = none", SENT, None),
        ("a.test = may protocols=TLSv1.2", SENT, f"info Trusted TLS connection established to {RELAY}: TLSv1.2 "),
        ("a.test = verify match=mx.a.test", SENT, f"info Verified TLS connection established to {RELAY}: "),
        (
            "a.test = secure match=other.test",
            NOT_VERIFIED,
            f"info server certificate verification failed for {RELAY}: ",
        ),
        (".test = verify", SENT, f"info Verified TLS connection established to {RELAY}: "),
        ("x.test = foo", SENT, f"info Trusted TLS connection established to {RELAY}: "),
        (
            "a.test = may foo=bar",
            "deferred 4.7.5 none client TLS configuration problem",
            'warning smtp_tls_policy_maps, next-hop destination "a.test": invalid attribute name: "foo"',
        ),
        (
            "a.test = encrypt protocols=foo",
            CANNOT,
            f'warning {RELAY}: Invalid TLS protocol list "foo": aborting TLS session',
        ),
        ("a.test = encrypt ciphers=foo", CANNOT, f'warning {RELAY}: invalid cipher grade: "foo"'),
        (
            "a.test = dane-only",
            "deferred 4.7.5 none client TLS configuration problem",
            "warning a.test: dane-only configured",
        ),
        ("a.test = dane", SENT, "warning a.test: dane configured with dnssec lookups disabled"),
    ],
)
def test_policy_tables(policy, fate, first, ca):
    rig = Rig(smtp_tls_policy_maps=f"inline:{{{{{policy}}}}}", smtp_tls_CAfile=ca)
    assert rig.deliver() == fate
    assert rig.log.lines[0].startswith(first) if first else not rig.log.lines
    if fate.startswith("deferred 4.7.5 none"):
        assert rig.log.lines[-1] == "warning TLS policy lookup for a.test/mx.a.test: client TLS configuration problem"


def test_a_policy_that_cannot_be_looked_up_holds_mail_back():
    rig = Rig(smtp_tls_policy_maps="fail:broken")
    assert rig.deliver().startswith("deferred 4.") and not rig.commands


def test_only_the_whole_of_a_bracketed_destination_is_looked_up():
    policies = "inline:{{[mx.a.test]:25 = none}, {[mx.a.test] = encrypt}, {mx.a.test = encrypt}}"
    rig = Rig(smtp_tls_policy_maps=policies)
    assert rig.deliver("[mx.a.test]:25") == SENT and "STARTTLS" not in rig.commands[0]


@pytest.mark.parametrize(
    "settings, status",
    [
        ({"smtp_use_tls": "yes"}, "Trusted"),
        ({"smtp_enforce_tls": "yes"}, "Verified"),
        ({"smtp_enforce_tls": "yes", "smtp_tls_enforce_peername": "no"}, "Trusted"),
        ({"smtp_tls_per_site": "inline:{a.test=MUST}"}, "Verified"),
        ({"smtp_tls_per_site": "inline:{mx.a.test=must_nopeermatch}"}, "Trusted"),
        ({"smtp_tls_per_site": "inline:{a.test=MAY, mx.a.test=NONE}"}, ""),
        ({"smtp_tls_per_site": "inline:{a.test=NONE, mx.a.test=MAY}", "smtp_use_tls": "yes"}, ""),
        ({"smtp_tls_per_site": "inline:{a.test=MUST, mx.a.test=NONE}"}, "Verified"),
        ({"smtp_tls_per_site": "inline:{a.test=MAY}", "smtp_enforce_tls": "yes"}, "Verified"),
        ({}, ""),
    ],
)
def test_older_parameters(settings, status, ca):
    rig = Rig(smtp_tls_security_level="", smtp_tls_CAfile=ca, **settings)
    assert rig.deliver() == SENT and established(rig) == ([status] if status else [])


def test_wrapper_mode():
    plain = Script(extensions=())
    rig = Rig(TlsPeer(plain, wrapper=True), smtp_tls_wrappermode="yes", smtp_tls_security_level="encrypt")
    assert rig.deliver() == SENT and established(rig) == ["Untrusted"]
    assert rig.commands[0][:2] == ["EHLO client.test", "MAIL FROM:<s@x.test>"]
    rig = Rig(TlsPeer(plain), smtp_tls_wrappermode="yes", smtp_tls_security_level="encrypt")
    assert rig.deliver() == CANNOT
    assert rig.log.lines == [
        f"info SSL_connect error to {RELAY}: -1",
        "warning TLS library problem: error:0A00010B:SSL routines::wrong version number:",
    ]
    rig = Rig(TlsPeer(plain, wrapper=True), smtp_tls_wrappermode="yes")
    assert rig.deliver() == "deferred 4.3.0 none server unavailable or unable to receive mail"
    assert rig.log.lines == ['warning smtp_tls_wrappermode requires "smtp_tls_security_level = encrypt" (or stronger)']


@pytest.mark.parametrize("level", ["may", "encrypt"])
@pytest.mark.parametrize(
    "settings, warning",
    [
        ({"smtp_tls_CAfile": "/nonexistent"}, 'info cannot load Certification Authority data, CAfile="/nonexistent": '),
        ({"smtp_tls_chain_files": "/nonexistent"}, "warning error opening chain file: /nonexistent: No such file"),
        ({"smtp_tls_fingerprint_digest": "foo"}, 'warning Digest algorithm "foo" not found'),
    ],
)
def test_settings_that_stand_in_the_way(level, settings, warning):
    rig = Rig(smtp_tls_security_level=level, **settings)
    assert rig.log.lines[0].startswith(warning)
    if level == "may":
        assert rig.deliver() == SENT and "STARTTLS" not in rig.commands[0]
    else:
        assert rig.deliver() == f"deferred 4.7.5 {RELAY} TLS is required, but our TLS engine is unavailable"


def test_a_client_certificate_is_shown_to_those_who_ask(tmp_path, ca):
    chain = tmp_path / "client.pem"
    chain.write_bytes(both("client.test", number=5))
    peer = TlsPeer()
    peer.context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    rig = Rig(peer, smtp_tls_chain_files=str(chain))
    assert rig.deliver() == SENT
    shown = peer.ends[0].layer.connection.get_peer_certificate().to_cryptography()
    assert shown == certificate("client.test", number=5)
    assert rig.log.lines[0].endswith(" client-signature ECDSA (prime256v1) client-digest SHA256")
    chain.write_bytes(both("renewed.test", number=6))
    rig.network.advance(2)
    assert rig.deliver() == SENT
    shown = peer.ends[1].layer.connection.get_peer_certificate().to_cryptography()
    assert shown == certificate("renewed.test", number=6)
    rig = Rig(smtp_tls_chain_files=str(chain))
    assert rig.deliver() == SENT and "client-signature" not in rig.log.lines[0]


@pytest.mark.parametrize(
    "server_name, asked", [("", None), ("hostname", b"mx.a.test"), ("nexthop", b"a.test"), ("x.test", b"x.test")]
)
def test_the_name_that_is_asked_for(server_name, asked):
    rig = Rig(smtp_tls_servername=server_name)
    assert rig.deliver() == SENT
    assert rig.peer.ends[0].layer.connection.get_servername() == asked


def test_encrypted_connections_are_kept_only_if_asked_for_and_between_equal_policies():
    def deliveries(**settings):
        rig = Rig(**settings)
        for _ in range(2):
            rig.deliver(busy=True)
        return len(rig.commands)

    assert deliveries() == 2
    assert deliveries(smtp_tls_connection_reuse="yes") == 1
    assert deliveries(smtp_tls_security_level="none") == 1
    assert deliveries(smtp_tls_policy_maps="inline:{{a.test = encrypt connection_reuse=yes}}") == 1


def test_lmtp_has_its_own_settings(ca):
    script = Script(extensions=("STARTTLS",), STARTTLS=READY, lmtp=True)
    rig = Rig(TlsPeer(script), lmtp=True, lmtp_tls_security_level="verify", lmtp_tls_CAfile=ca)
    assert rig.deliver("inet:mx.a.test:25") == SENT and established(rig) == ["Verified"]
    rig = Rig(TlsPeer(script), lmtp=True, lmtp_tls_policy_maps="inline:{{inet:mx.a.test:25 = bad}}")
    rig.deliver("inet:mx.a.test:25")
    assert rig.log.lines[0].startswith('warning lmtp_tls_policy_maps, next-hop destination "inet:mx.a.test:25": ')


def test_large_contents_keep_pace_with_the_network():
    rig = Rig()
    rig.network.window = 10_000
    rig.outcomes, done = RecordingOutcomes(), []
    content = b"Subject: x\r\n\r\n" + (b"y" * 70 + b"\r\n") * 5000
    request = DeliveryRequest(
        "QID", Envelope("s@x.test"), MemoryContent(content, small=False, piece=8000), "smtp", "a.test",
        [Recipient("r@a.test")],
    )  # fmt: skip
    Deferred.fromCoroutine(rig.transport.deliver(request, rig.outcomes)).addBoth(done.append)
    rig.network.settle()
    assert done == [None] and rig.outcomes.fates == ["r@a.test sent"]
    assert rig.peer.peer.mails[0].content == content
