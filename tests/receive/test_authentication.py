"""AUTH in a session beyond what was recorded: TLS, delays after failures, a server that goes away."""

from __future__ import annotations

import base64

from auth_servers import DovecotAuth
from certificates import both
from smtpd_stand_ins import Server
from test_tls import Encrypted

from mailer.receive.loginfailures import LoginFailures
from mailer.testing.network import MemoryNetwork

GOOD = b"AUTH PLAIN " + base64.b64encode(b"\0bob\0secret") + b"\r\n"
BAD = b"AUTH PLAIN " + base64.b64encode(b"\0bob\0wrong") + b"\r\n"
SETTINGS = {
    "smtpd_sasl_auth_enable": "yes",
    "smtpd_sasl_type": "dovecot",
    "smtpd_sasl_path": "private/auth",
    "queue_directory": "/q",
}


def world(**settings):
    auth = DovecotAuth()
    network = MemoryNetwork({"/q/private/auth": auth})
    server = Server({**SETTINGS, **settings}, clock=network)
    peer = server.connect("192.0.2.7")
    said(server, peer, b"EHLO x\r\n")
    return server, peer, auth


def said(server, peer, octets):
    got = peer.say(octets)
    server.clock.settle()
    return got + peer.say(b"")


def seconds_until_an_answer(server, peer, octets):
    waited = 0
    got = said(server, peer, octets)
    while not got:
        assert waited < 100
        server.clock.advance(1)
        server.clock.settle()
        waited += 1
        got = peer.say(b"")
    return waited, got[:3]


def test_failures_take_longer_and_longer():
    server, peer, _ = world(smtpd_sasl_failure_limit="2", smtpd_sasl_failure_max_delay="5")
    waits = [seconds_until_an_answer(server, peer, BAD) for _ in range(6)]
    assert waits == [(0, b"535"), (0, b"535"), (1, b"535"), (2, b"535"), (4, b"535"), (5, b"535")]


def test_who_knows_the_password_waits_for_the_failures_of_the_own_address_only():
    server, guesser, _ = world(smtpd_sasl_failure_limit="1")
    for _ in range(3):
        seconds_until_an_answer(server, guesser, BAD)
    bob = server.connect("192.0.2.8")
    assert said(server, bob, b"EHLO x\r\n")
    assert seconds_until_an_answer(server, bob, GOOD) == (0, b"235")
    assert seconds_until_an_answer(server, guesser, GOOD) == (2, b"235")


def test_failures_for_a_name_count_from_everywhere():
    server, peer, _ = world(smtpd_sasl_failure_limit="1")
    seconds_until_an_answer(server, peer, BAD)
    other = server.connect("192.0.2.99")
    said(server, other, b"EHLO x\r\n")
    assert seconds_until_an_answer(server, other, BAD) == (1, b"535")


def test_no_delays_for_trusted_clients_or_where_they_are_turned_off():
    for settings in ({"mynetworks": "192.0.2.0/24"}, {"smtpd_sasl_failure_delay": "0"}):
        server, peer, _ = world(smtpd_sasl_failure_limit="1", **settings)
        assert [seconds_until_an_answer(server, peer, BAD)[0] for _ in range(4)] == [0, 0, 0, 0]


def test_failures_are_forgotten_and_bounded():
    now = [0.0]
    failures = LoginFailures(lambda: now[0], 1.0, 30.0, 1, 60.0)
    assert [failures.failed("a", "") for _ in range(3)] == [0.0, 1.0, 2.0]
    assert failures.delay("a") == 2.0
    now[0] = 61.0
    assert failures.delay("a") == 0.0
    assert failures.failed("a", "") == 0.0
    for number in range(30000):
        failures.failed(f"a{number}", "")
    assert len(failures._counts) == 10000
    assert failures.failed("a29999", "") == 1.0


def test_temporary_failures_are_told_as_such_and_do_not_count():
    server, peer, auth = world(smtpd_sasl_failure_limit="1")
    auth.script = ["FAIL\t#\tuser=bob\ttemp"] * 3
    for _ in range(3):
        waited, code = seconds_until_an_answer(server, peer, GOOD)
        assert (waited, code) == (0, b"454")
    assert said(server, peer, GOOD).startswith(b"235")


def test_dovecot_goes_away_in_the_middle():
    server, peer, auth = world()
    assert said(server, peer, b"AUTH LOGIN\r\n").startswith(b"334 ")
    auth.connections[0].transport.abortConnection()
    server.clock.settle()
    text = b"454 4.7.0 Temporary authentication failure: Connection lost to authentication server\r\n"
    assert said(server, peer, b"Ym9i\r\n") == text
    assert said(server, peer, GOOD).startswith(b"235 ")


def test_a_client_that_says_nothing_more():
    server, peer, _ = world(smtpd_timeout="10s")
    said(server, peer, b"AUTH LOGIN\r\n")
    server.clock.advance(12)
    server.clock.settle()
    assert peer.say(b"").startswith(b"421 4.4.2 ")
    assert "info timeout after AUTH from unknown[192.0.2.7]" in server.log.lines


def test_a_client_that_leaves_while_dovecot_thinks():
    server, peer, auth = world()
    auth.script = [""]
    said(server, peer, GOOD)
    peer.leave()
    server.clock.until(lambda: server.factory.sessions == 0, seconds=60)
    assert any(line.startswith("info disconnect from unknown[192.0.2.7]") for line in server.log.lines)


def test_the_service_gives_its_connection_back():
    server, peer, auth = world()
    server.factory.close()
    server.clock.settle()
    assert not auth.connections[0].transport.connected


def encrypted(tmp_path, **settings):
    """What a client hears before TLS, and the means to go on under TLS."""
    (tmp_path / "chain.pem").write_bytes(both("mail.example"))
    tls = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": str(tmp_path / "chain.pem")}
    server, peer, auth = world(**tls, **settings)
    offered = said(server, peer, b"EHLO x\r\n")
    refused = said(server, peer, GOOD)
    assert said(server, peer, b"STARTTLS\r\n") == b"220 2.0.0 Ready to start TLS\r\n"
    client = Encrypted(peer)

    def secretly(octets):
        got = client.say(octets)
        server.clock.settle()
        return got + client.say(b"")

    return server, auth, offered, refused, secretly


def test_logins_under_tls_only(tmp_path):
    settings = {
        "smtpd_tls_auth_only": "yes",
        "smtpd_sasl_authenticated_header": "yes",
        "smtpd_tls_received_header": "yes",
    }
    server, auth, offered, refused, secretly = encrypted(tmp_path, **settings)
    assert b"AUTH" not in offered and b"STARTTLS" in offered
    assert refused == b"503 5.5.1 Error: authentication not enabled\r\n"
    assert not auth.heard
    assert secretly(GOOD).startswith(b"235 ")
    assert "\tsecured\t" in auth.heard[-1]
    assert b"250-AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256\r\n" in secretly(b"EHLO x\r\n")
    secretly(b"MAIL FROM:<a@example.org>\r\n")
    content = server_received(server, secretly)
    assert content.index("(No client certificate requested)") < content.index("\r\n\t(Authenticated sender: bob)\r\n")
    assert "with ESMTPSA id" in content


def server_received(server, secretly):
    secretly(b"RCPT TO:<x@localhost>\r\n")
    secretly(b"DATA\r\n")
    assert secretly(b"Subject: x\r\n\r\nx\r\n.\r\n").startswith(b"250 ")
    return server.sink.messages[0].content.decode()


def test_more_mechanisms_under_tls(tmp_path):
    options = {
        "smtpd_sasl_security_options": "noanonymous, noplaintext",
        "smtpd_sasl_tls_security_options": "noanonymous",
    }
    _, _, offered, refused, secretly = encrypted(tmp_path, **options)
    assert b"250-AUTH CRAM-MD5 SCRAM-SHA-256\r\n" in offered
    assert refused.startswith(b"535 5.7.8 Error: authentication failed: Invalid authentication mechanism")
    assert b"250-AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256\r\n" in secretly(b"EHLO x\r\n")
    assert secretly(GOOD).startswith(b"235 ")


def test_starttls_forgets_who_has_logged_in(tmp_path):
    _, _, offered, accepted, secretly = encrypted(tmp_path)
    assert accepted.startswith(b"235 ")
    assert secretly(GOOD).startswith(b"235 ")
    assert secretly(GOOD) == b"503 5.5.1 Error: already authenticated\r\n"
