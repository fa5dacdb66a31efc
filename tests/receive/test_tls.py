"""STARTTLS and wrapper mode in memory: replies, log lines and what is forgotten, as recorded from Postfix."""

from __future__ import annotations

import re
from typing import Any

import pytest
from certificates import authority, both, chain_pem, key_pem
from OpenSSL import SSL
from smtpd_stand_ins import ListAccess, Server

from mailer.message.status import Reply
from mailer.tls.certificates import install, parse_chain
from mailer.tls.layer import TlsLayer

HELLO = b"EHLO client.example\r\n"
ENVELOPE = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@mail.example>\r\n"
READY = b"220 2.0.0 Ready to start TLS\r\n"
SUMMARY = re.compile(
    r"TLSv1\.3 with cipher TLS_AES_256_GCM_SHA384 \(256/256 bits\) key-exchange (X25519\w*)"
    r" server-signature ECDSA \(prime256v1\) server-digest SHA256"
)
CLIENT = "localhost[127.0.0.1]"


@pytest.fixture
def files(tmp_path):
    """Writes files; gives main.cf for a server with a certificate and a trusted authority."""

    class Files:
        def write(self, name: str, content: bytes) -> str:
            path = tmp_path / name
            path.write_bytes(content)
            return str(path)

        def main(self, **more: str) -> dict[str, str]:
            return {
                "smtpd_tls_security_level": "may",
                "smtpd_tls_chain_files": self.write("server.pem", both("mail.example")),
                "smtpd_tls_CAfile": self.write("ca.pem", authority()),
                "smtpd_tls_loglevel": "1",
                "mynetworks": "127.0.0.0/8",
                **more,
            }

    return Files()


class Encrypted:
    """The client's end of TLS on a Peer."""

    def __init__(self, peer: Any, certificate: bytes = b"", name: str = "", highest: int = 0) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_max_proto_version(highest)
        if certificate:
            install(context, parse_chain(certificate, "client"))
        self.peer = peer
        self.layer = TlsLayer(context, False, name)
        self.layer.begin()
        self.text = b""
        self._exchange()

    def _exchange(self) -> None:
        while True:
            octets = self.layer.take()
            answer = self.peer.say(octets) if octets else self.peer.transport.received()
            if not octets and not answer:
                return
            if answer:
                self.text += self.layer.receive(answer)

    def say(self, octets: bytes) -> bytes:
        if octets:
            self.layer.send(octets)
        self._exchange()
        text, self.text = self.text, b""
        return text


def begun(server: Server, **options: Any) -> tuple[Any, Encrypted]:
    peer = server.connect()
    peer.say(HELLO)
    assert peer.say(b"STARTTLS\r\n") == READY
    return peer, Encrypted(peer, **options)


def test_a_message_under_tls(files):
    server = Server(files.main(smtpd_tls_received_header="yes"))
    peer, client = begun(server)
    offers = client.say(HELLO)
    assert b"STARTTLS" not in offers and b"250 CHUNKING" in offers
    assert client.say(b"STARTTLS\r\n") == b"554 5.5.1 Error: TLS already active\r\n"
    replies = client.say(ENVELOPE + b"DATA\r\n")
    assert replies.endswith(b"354 End data with <CR><LF>.<CR><LF>\r\n")
    assert client.say(b"Subject: x\r\n\r\nx\r\n.\r\n").startswith(b"250 2.0.0 Ok: queued as ")
    assert client.say(b"QUIT\r\n") == b"221 2.0.0 Bye\r\n"
    assert client.layer.ended and peer.closed
    (message,) = server.sink.messages
    assert message.envelope.client.tls_protocol == "TLSv1.3"
    content = message.content.decode()
    assert re.match(
        r"Received: from client\.example \(localhost \[127\.0\.0\.1\]\)\r\n"
        r"\t\(using TLSv1\.3 with cipher TLS_AES_256_GCM_SHA384 \(256/256 bits\)\r\n"
        r"\t key-exchange X25519\w* server-signature ECDSA \(prime256v1\) server-digest SHA256\)\r\n"
        r"\t\(No client certificate requested\)\r\n"
        r"\tby mail\.example \(Postfix\) with ESMTPS id \w+\r\n",
        content,
    ), content
    summary = next(line for line in server.log.lines if "TLS connection" in line)
    prefix = f"info Anonymous TLS connection established from {CLIENT}: "
    assert summary.startswith(prefix) and SUMMARY.fullmatch(summary.removeprefix(prefix))
    assert server.log.lines[-1] == (
        f"info disconnect from {CLIENT} ehlo=2 starttls=1/2 mail=1 rcpt=1 data=1 quit=1 commands=7/8"
    )


def test_before_tls_1_3_the_cipher_says_it_all(files):
    server = Server(files.main(smtpd_tls_received_header="yes", smtpd_tls_ask_ccert="yes"))
    _, client = begun(server, highest=SSL.TLS1_2_VERSION)
    client.say(ENVELOPE + b"DATA\r\n")
    client.say(b".\r\n")
    assert server.sink.messages[0].content.startswith(
        b"Received: from localhost (localhost [127.0.0.1])\r\n"
        b"\t(using TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits))\r\n"
        b"\t(Client did not present a certificate)\r\n"
        b"\tby mail.example (Postfix) with ESMTPS id "
    )


@pytest.mark.parametrize("injected", [ENVELOPE, b"NOOP\r\n", b"R", b"STARTTLS\r\n", b"\x16\x03\x01", b"x" * 5000])
def test_what_was_sent_too_early_is_forgotten(files, injected):
    server = Server(files.main())
    peer = server.connect()
    peer.say(HELLO)
    assert peer.say(b"STARTTLS\r\n" + injected) == READY
    client = Encrypted(peer)
    assert client.say(b"RCPT TO:<b@mail.example>\r\n") == b"503 5.5.1 Error: need MAIL command\r\n"
    assert not any("pipelining" in line for line in server.log.lines)


def test_the_greeting_and_a_transaction_are_forgotten(files):
    server = Server(files.main(smtpd_helo_required="yes"))
    peer = server.connect()
    peer.say(HELLO), peer.say(ENVELOPE)
    assert peer.say(b"STARTTLS\r\n") == READY
    client = Encrypted(peer)
    assert server.sink.writers[0].state == "aborted"
    assert client.say(b"MAIL FROM:<a@example.org>\r\n") == b"503 5.5.1 Error: send HELO/EHLO first\r\n"
    client.say(HELLO)
    assert client.say(b"RCPT TO:<b@mail.example>\r\n") == b"503 5.5.1 Error: need MAIL command\r\n"


def test_plain_text_in_place_of_a_handshake(files):
    server = Server(files.main(smtpd_tls_loglevel="0"))
    peer = server.connect()
    peer.say(HELLO), peer.say(b"STARTTLS\r\n")
    assert peer.say(b"MAIL FROM:<a@example.org>\r\n") == b"" and peer.closed
    assert server.log.lines[-4:] == [
        f"info SSL_accept error from {CLIENT}: -1",
        "warning TLS library problem: error:0A00010B:SSL routines::wrong version number:",
        f"info lost connection after STARTTLS from {CLIENT}",
        f"info disconnect from {CLIENT} ehlo=1 starttls=0/1 commands=1/2",
    ]


def test_a_client_that_leaves_or_waits_during_the_handshake(files):
    server = Server(files.main(smtpd_starttls_timeout="10s"))
    peer = server.connect()
    peer.say(HELLO), peer.say(b"STARTTLS\r\n")
    peer.leave()
    assert f"info SSL_accept error from {CLIENT}: lost connection" in server.log.lines
    peer = server.connect()
    peer.say(HELLO), peer.say(b"STARTTLS\r\n")
    for _ in range(12):
        server.clock.advance(1)
    assert server.log.lines[-3:-1] == [
        f"info SSL_accept error from {CLIENT}: Connection timed out",
        f"info lost connection after STARTTLS from {CLIENT}",
    ]
    assert peer.closed and peer.transport.received() == b""


@pytest.mark.parametrize(
    "command, reply",
    [
        (b"HELO x", b"250 mail.example"),
        (b"NOOP", b"250 2.0.0 Ok"),
        (b"STARTTLS x", b"501 5.5.4 Syntax: STARTTLS"),
        (b"XCLIENT NAME=x", b"550 5.7.0 Error: insufficient authorization"),
        (b"QUIT", b"221 2.0.0 Bye"),
        (b"FOO", b"500 5.5.2 Error: command not recognized"),
        *(
            (command, b"530 5.7.0 Must issue a STARTTLS command first")
            for command in (b"MAIL FROM:<a@b>", b"RCPT TO:<a@b>", b"DATA", b"RSET", b"VRFY x", b"ETRN x", b"AUTH PLAIN")
        ),
        (b"XFORWARD NAME=x", b"530 5.7.0 Must issue a STARTTLS command first"),
    ],
)
def test_what_may_be_said_before_mandatory_tls(files, command, reply):
    server = Server(files.main(smtpd_tls_security_level="encrypt"))
    peer = server.connect()
    peer.transport.received()
    assert peer.say(command + b"\r\n") == reply + b"\r\n"
    if reply.startswith(b"530"):
        peer.leave()
        verb = command.split()[0].decode().lower()
        assert server.log.lines[-2:] == [
            f"info lost connection after CONNECT from {CLIENT}",
            f"info disconnect from {CLIENT} {verb}=0/1 commands=0/1",
        ]


def test_everything_may_be_said_under_mandatory_tls(files):
    server = Server(files.main(smtpd_tls_security_level="", smtpd_enforce_tls="yes"))
    _, client = begun(server)
    client.say(HELLO)
    assert client.say(ENVELOPE).endswith(b"250 2.1.5 Ok\r\n")


@pytest.mark.parametrize(
    "level, older, offered",
    [
        ("may", {}, True), ("none", {}, False), ("", {}, False), ("", {"smtpd_use_tls": "yes"}, True),
        ("none", {"smtpd_use_tls": "yes"}, False), ("verify", {}, True),
    ],
)  # fmt: skip
def test_levels(files, level, older, offered):
    server = Server(files.main(smtpd_tls_security_level=level, **older))
    peer = server.connect()
    assert (b"250-STARTTLS\r\n" in peer.say(HELLO)) is offered
    if not offered:
        assert peer.say(b"STARTTLS\r\n") == b"502 5.5.1 Error: command not implemented\r\n"
    warning = 'warning smtpd_tls_security_level: unsupported TLS level "verify", using "encrypt"'
    assert (warning in server.log.lines) is (level == "verify")
    assert (peer.say(b"MAIL FROM:<a@b>\r\n")[:3] == b"530") is (level == "verify")


def test_a_discarded_keyword_is_a_command_not_implemented(files):
    server = Server(files.main(smtpd_discard_ehlo_keywords="starttls"))
    peer = server.connect()
    assert b"STARTTLS" not in peer.say(HELLO)
    assert peer.say(b"STARTTLS\r\n") == b"502 5.5.1 Error: command not implemented\r\n"


@pytest.mark.parametrize(
    "change, warnings",
    [
        (
            {"smtpd_tls_chain_files": "/nonexistent"},
            [
                "error opening chain file: /nonexistent: No such file or directory",
                "error loading private keys and certificates from: /nonexistent: disabling TLS support",
            ],
        ),
        ({"smtpd_tls_chain_files": ""}, ["No server certs available. TLS won't be enabled"]),
        (
            {"smtpd_tls_chain_files": "", "smtpd_tls_ask_ccert": "yes"},
            ["Need a server cert to request client certs", "No server certs available. TLS won't be enabled"],
        ),
        (
            {"smtpd_tls_protocols": ">=TLSv1.9"},
            ['Invalid TLS protocol list ">=TLSv1.9": disabling TLS support'],
        ),
        (
            {"smtpd_tls_fingerprint_digest": "foo"},
            ['Digest algorithm "foo" not found', "disabling TLS support"],
        ),
    ],
)
def test_settings_that_stand_in_the_way_leave_a_server_without_tls(files, change, warnings):
    server = Server(files.main(**change))
    assert [line.removeprefix("warning ") for line in server.log.lines] == warnings
    peer = server.connect()
    assert b"250-STARTTLS\r\n" in peer.say(HELLO)
    assert peer.say(b"STARTTLS\r\n") == b"454 4.7.0 TLS not available due to local problem\r\n"
    assert peer.say(b"NOOP\r\n") == b"250 2.0.0 Ok\r\n"


def test_older_pairs_of_files(files):
    pairs = {
        "smtpd_tls_chain_files": "",
        "smtpd_tls_cert_file": files.write("rsa.crt", chain_pem("mail.example", "rsa")),
        "smtpd_tls_key_file": files.write("rsa.key", key_pem("rsa")),
        "smtpd_tls_eccert_file": files.write("ec.pem", both("mail.example")),
    }
    server = Server(files.main(**pairs))
    begun(server)
    assert "server-signature ECDSA (prime256v1)" in server.log.lines[-1]
    del pairs["smtpd_tls_eccert_file"]
    server = Server(files.main(**pairs))
    begun(server)
    assert "server-signature RSA-PSS (2048 bits) server-digest SHA256" in server.log.lines[-1]
    server = Server(files.main(**{**pairs, "smtpd_tls_key_file": files.write("other.key", key_pem())}))
    assert server.log.lines[0].startswith("warning RSA private key in ")


def test_client_certificates(files):
    main = files.main(smtpd_tls_ask_ccert="yes", smtpd_tls_received_header="yes", smtpd_tls_loglevel="2")
    seen = []

    class Access(ListAccess):
        async def mail(self, session: Any) -> Reply | None:
            seen.append(session.tls)
            return None

    server = Server(main)
    server.access = server.factory.service.access = Access(server.settings)
    _, client = begun(server, certificate=both("client.example", number=1))
    client.say(HELLO), client.say(ENVELOPE + b"DATA\r\n")
    client.say(b".\r\n")
    (tls,) = seen
    assert (tls.trusted, tls.subject, tls.issuer, tls.keysize) == (True, "client.example", "Test CA", 256)
    assert re.fullmatch(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", tls.fingerprint)
    assert tls.pubkey_fingerprint != tls.fingerprint
    lines = server.log.lines
    assert (
        f"info {CLIENT}: subject_CN=client.example, issuer=Test CA, fingerprint={tls.fingerprint},"
        f" pkey_fingerprint={tls.pubkey_fingerprint}" in lines
    )
    assert any(line.startswith(f"info Trusted TLS connection established from {CLIENT}: ") for line in lines)
    assert b'(Client CN "client.example", Issuer "Test CA" (verified OK))\r\n' in server.sink.messages[0].content
    begun(server, certificate=both("self.example", issuer="", number=2))
    problem = "info certificate verification failed for localhost[127.0.0.1]: self-signed certificate"
    assert problem not in lines and lines[-1].startswith("info Untrusted TLS connection established")


def test_a_name_in_a_certificate_cannot_break_out_of_its_header(files):
    server = Server(files.main(smtpd_tls_ask_ccert="yes", smtpd_tls_received_header="yes"))
    _, client = begun(server, certificate=both('x")) y\\z (a)é', issuer="", number=2))
    client.say(HELLO), client.say(ENVELOPE + b"DATA\r\n")
    client.say(b".\r\n")
    assert b'(Client CN "x"?? y?z (a)?", Issuer "x"?? y?z (a)?" (not verified))' in server.sink.messages[0].content


@pytest.mark.parametrize(
    "certificate, why",
    [
        (b"", "No client certificate presented"),
        (both("self.example", issuer="", number=2), "Client certificate not trusted"),
        (both("late.example", days=-1, number=2), "Client certificate not trusted"),
    ],
)
def test_required_certificates(files, certificate, why):
    main = files.main(smtpd_tls_security_level="encrypt", smtpd_tls_req_ccert="yes")
    server = Server(main)
    peer, client = begun(server, certificate=certificate)
    assert client.text == f"421 4.7.1 mail.example Error: {why}\r\n".encode() and peer.closed
    problem = next((line for line in server.log.lines if "verification failed" in line), "")
    assert bool(problem) is bool(certificate)
    assert problem.startswith("info client certificate") is ("has expired" in problem)
    assert server.log.lines[-3:] == [
        f"info NOQUEUE: abort: TLS from {CLIENT}: {why}",
        f"info lost connection after STARTTLS from {CLIENT}",
        f"info disconnect from {CLIENT} ehlo=1 starttls=0/1 commands=1/2",
    ]
    server = Server(main)
    _, client = begun(server, certificate=both("client.example", number=1))
    assert client.say(HELLO).startswith(b"250-mail.example\r\n")


def test_certificates_can_be_required_only_with_tls(files):
    server = Server(files.main(smtpd_tls_req_ccert="yes"))
    assert server.log.lines == ["warning Can't require client certs unless TLS is required"]
    _, client = begun(server)
    assert client.say(HELLO).startswith(b"250-")


def test_wrapper_mode(files):
    server = Server(files.main(smtpd_tls_wrappermode="yes", smtpd_tls_security_level="none"))
    peer = server.connect()
    assert peer.transport.received() == b""
    client = Encrypted(peer)
    assert client.text == b"220 mail.example ESMTP Postfix\r\n"
    client.text = b""
    assert b"STARTTLS" not in client.say(HELLO)
    assert client.say(b"STARTTLS\r\n" + ENVELOPE).endswith(b"250 2.1.5 Ok\r\n")
    peer = server.connect()
    assert peer.say(HELLO) == b"" and peer.closed
    assert server.log.lines[-2:] == [
        f"info lost connection after CONNECT from {CLIENT}",
        f"info disconnect from {CLIENT} commands=0/0",
    ]


@pytest.mark.parametrize("at_once", [True, False])
def test_wrapper_mode_behind_a_load_balancer(files, at_once):
    server = Server(files.main(smtpd_tls_wrappermode="yes", smtpd_upstream_proxy_protocol="haproxy"))
    peer = server.connect()
    header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 465\r\n"
    if at_once:
        say = peer.say
        peer.say = lambda octets: (setattr(peer, "say", say), say(header + octets))[1]
    else:
        assert peer.say(header) == b""
    client = Encrypted(peer)
    assert client.text == b"220 mail.example ESMTP Postfix\r\n"
    assert b"250 CHUNKING" in client.say(HELLO)
    assert server.log.lines[0] == "info connect from unknown[192.0.2.1]"


def test_wrapper_mode_without_a_certificate(files):
    server = Server(files.main(smtpd_tls_wrappermode="yes", smtpd_tls_chain_files="/nonexistent"))
    peer = server.connect()
    assert peer.transport.received() == b"" and peer.closed
    assert server.log.lines[-2] == (
        f"warning Wrapper-mode request dropped from {CLIENT} for service smtp."
        " TLS context initialization failed. For details see earlier warnings in your logs."
    )


def test_new_sessions_have_a_limit(files):
    limits = {"smtpd_client_new_tls_session_rate_limit": "1", "smtpd_client_event_limit_exceptions": ""}
    server = Server(files.main(**limits))
    begun(server)
    peer, client = begun(server)
    assert client.text == f"421 4.7.0 mail.example Error: too many new TLS sessions from {CLIENT}\r\n".encode()
    assert peer.closed and server.log.lines[-2:] == [
        f"warning New TLS session rate limit exceeded: 2 from {CLIENT} for service smtp",
        f"info disconnect from {CLIENT} ehlo=1 starttls=0/1 commands=1/2",
    ]
    peer = server.connect()
    peer.say(HELLO)
    refusal = f"454 4.7.0 Error: too many new TLS sessions from {CLIENT}\r\n"
    assert peer.say(b"STARTTLS\r\n") == refusal.encode()
    assert f"warning Refusing STARTTLS request from {CLIENT} for service smtp" in server.log.lines
    server = Server(files.main(smtpd_tls_wrappermode="yes", **limits))
    Encrypted(server.connect())
    assert b"421 4.7.0" in Encrypted(server.connect()).text
    peer = server.connect()
    assert peer.closed and server.log.lines[-2] == (
        f"warning Refusing TLS service request from {CLIENT} for service smtp"
    )


def test_names_have_their_certificates(files):
    other = files.write("other.pem", both("other.example", number=3))
    server = Server(files.main(tls_server_sni_maps=f"inline:{{other.example={other}, .sub.example={other}}}"))

    def name(asked: str) -> str:
        peer, client = begun(server, name=asked)
        return client.layer.connection.get_peer_certificate().to_cryptography().subject.rfc4514_string()

    assert name("OTHER.example") == "CN=other.example"
    assert f"info Anonymous TLS connection established from {CLIENT} to OTHER.example: " in server.log.lines[-1]
    assert name("a.b.sub.example") == "CN=other.example"
    assert name("sub.example") == "CN=mail.example"
    assert server.log.lines[-2] == f"info TLS SNI sub.example from {CLIENT} not matched, using default chain"
    assert name("") == "CN=mail.example"


def test_renewed_certificates_are_used_and_broken_ones_are_not(files):
    server = Server(files.main(smtpd_tls_loglevel="0"))

    def serial() -> int:
        server.clock.advance(2)
        peer, client = begun(server)
        return client.layer.connection.get_peer_certificate().get_serial_number()

    first = serial()
    files.write("server.pem", b"")
    assert serial() == first
    (path,) = server.settings.smtpd_tls_chain_files
    told = server.log.lines.index(f"warning No PEM data in {path}")
    assert server.log.lines[told + 1 : told + 3] == [
        f"warning error loading private keys and certificates from: {path}",
        "warning the server's certificates in use stay in use",
    ]
    count = len(server.log.lines)
    assert serial() == first
    assert not any("stay in use" in line for line in server.log.lines[count:])  # told once
    files.write("server.pem", both("mail.example", number=7))
    assert serial() != first
    assert "info the server's certificates were read anew" in server.log.lines


def test_certificates_that_come_later_bring_tls_to_life(files, tmp_path):
    server = Server(files.main(smtpd_tls_chain_files=str(tmp_path / "later.pem")))
    files.write("later.pem", both("mail.example"))
    server.clock.advance(2)
    begun(server)


def test_back_pressure_holds_under_tls(files):
    server = Server(files.main())
    peer, client = begun(server)
    client.say(HELLO), client.say(ENVELOPE + b"DATA\r\n")
    producer = server.sink.writers[0].producer
    producer.pause()
    assert peer.transport.producerState == "paused"
    producer.resume()
    assert peer.transport.producerState == "producing"
    client.layer.send(b"x" * 70 + b"\r\n" + (b"y" * 998 + b"\r\n") * 500 + b".\r\n")
    client._exchange()
    assert client.text.startswith(b"250 2.0.0 Ok: queued as ")
    assert len(server.sink.messages[0].content) > 500_000


def test_a_client_that_does_not_read_is_not_listened_to(files):
    server = Server(files.main(smtpd_junk_command_limit="100000", smtpd_forbid_unauth_pipelining="no"))
    peer, client = begun(server)
    client.say(HELLO)
    peer.protocol.pauseProducing()
    client.layer.send(b"NOOP\r\n" * 30000)
    peer.protocol.dataReceived(client.layer.take())
    assert peer.transport.producerState == "paused"
    peer.protocol.resumeProducing()
    assert peer.transport.producerState == "producing"
    client._exchange()
    assert client.text == b"250 2.0.0 Ok\r\n" * 30000


def test_an_octet_that_was_changed_ends_the_session(files):
    server = Server(files.main())
    peer, client = begun(server)
    client.layer.send(HELLO)
    octets = bytearray(client.layer.take())
    octets[-1] ^= 1
    peer.say(bytes(octets))
    assert peer.closed
    assert server.log.lines[-3:] == [
        "warning TLS library problem: error:0A000139:SSL routines::record layer failure:",
        f"info lost connection after STARTTLS from {CLIENT}",
        f"info disconnect from {CLIENT} ehlo=1 starttls=1 commands=2",
    ]


def test_reject_plaintext_session_sees_tls(files):
    class Access(ListAccess):
        async def mail(self, session: Any) -> Reply | None:
            return None if session.tls is not None else Reply(450, "4.7.1", "Session encryption is required")

    server = Server(files.main())
    server.factory.service.access = Access(server.settings)
    peer = server.connect()
    assert b"450 4.7.1 Session encryption is required" in peer.say(HELLO) + peer.say(ENVELOPE)
    _, client = begun(server)
    assert client.say(ENVELOPE).startswith(b"250")
