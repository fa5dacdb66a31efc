"""Two layers in memory, back to back."""

import pytest
from certificates import both
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from mailer.tls.certificates import install, parse_chain
from mailer.tls.layer import TlsFailed, TlsLayer


def contexts():
    server = SSL.Context(SSL.TLS_METHOD)
    install(server, parse_chain(both("mx.test"), "test"))
    return server, SSL.Context(SSL.TLS_METHOD)


SERVER, CLIENT = contexts()
SERVER_13 = contexts()[0]
SERVER_13.set_min_proto_version(SSL.TLS1_3_VERSION)


def pair():
    server, client = TlsLayer(SERVER, True), TlsLayer(CLIENT, False, "mx.test")
    client.begin()
    while not (server.established and client.established):
        assert server.receive(client.take()) == b""
        assert client.receive(server.take()) == b""
    return server, client


def test_what_is_sent_arrives_in_pieces_of_any_size():
    server, client = pair()
    text = bytes(range(256)) * 1000
    client.send(text)
    octets = client.take()
    assert text not in octets
    got = b"".join(server.receive(octets[at : at + 1000]) for at in range(0, len(octets), 1000))
    assert got == text
    server.send(b"one"), server.send(b"two")
    assert client.receive(server.take()) == b"onetwo"
    assert client.take() == server.take() == b""


def test_a_handshake_octet_by_octet():
    server, client = TlsLayer(SERVER, True), TlsLayer(CLIENT, False)
    client.begin()
    for _ in range(3):
        for octet in client.take():
            server.receive(bytes([octet]))
        for octet in server.take():
            client.receive(bytes([octet]))
    assert server.established and client.established


def test_the_end_is_told():
    server, client = pair()
    client.send(b"bye")
    client.close()
    assert not server.ended
    assert server.receive(client.take()) == b"bye" and server.ended


def test_plain_text_is_a_failure():
    server = TlsLayer(SERVER, True)
    with pytest.raises(TlsFailed) as caught:
        server.receive(b"EHLO client.example\r\nMAIL FROM:<a@b>\r\n")
    assert caught.value.problems == ["TLS library problem: error:0A00010B:SSL routines::wrong version number:"]
    assert not server.established


def test_a_protocol_that_is_not_permitted_is_a_failure_with_an_alert_for_the_peer():
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    server, client = TlsLayer(SERVER_13, True), TlsLayer(context, False)
    client.begin()
    with pytest.raises(TlsFailed):
        server.receive(client.take())
    with pytest.raises(TlsFailed) as caught:
        client.receive(server.take())
    assert caught.value.problems == ["TLS library problem: error:0A00042E:SSL routines::tlsv1 alert protocol version:"]


def test_a_changed_octet_is_a_failure():
    server, client = pair()
    client.send(b"MAIL FROM:<a@b>\r\n")
    octets = bytearray(client.take())
    octets[-1] ^= 1
    with pytest.raises(TlsFailed):
        server.receive(bytes(octets))


@given(st.binary(min_size=1, max_size=300))
def test_anything_else_is_waited_for_or_a_declared_failure(octets):
    server = TlsLayer(SERVER, True)
    try:
        assert server.receive(octets) == b""
    except TlsFailed as failure:
        assert all(problem.startswith("TLS library problem: error:") for problem in failure.problems)
    assert not server.established
