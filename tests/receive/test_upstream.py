"""A load balancer in front of the SMTP server."""

import pytest
from smtpd_stand_ins import Server

V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 1111 25\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([192, 0, 2, 1, 198, 51, 100, 2, 4, 87, 0, 25])
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


def server(**settings):
    return Server(
        {
            "smtpd_upstream_proxy_protocol": "haproxy",
            "smtpd_client_port_logging": "yes",
            "inet_protocols": "all",
            "smtpd_recipient_restrictions": "reject",
            **settings,
        }
    )


@pytest.mark.parametrize("header", [V1, V2], ids=["1", "2"])
@pytest.mark.parametrize("piece", [0, 1])
def test_the_client_is_whom_the_header_names(header, piece):
    one = server()
    peer = one.connect()
    assert peer.say(b"") == b""
    assert peer.say(header, piece).startswith(b"220 ")
    assert one.log.lines == ["info connect from unknown[192.0.2.1]:1111"]
    session = next(iter(one.factory.connections))
    assert b"250" in peer.say(b"EHLO x\r\n")
    assert session.machine.pending == 0


def test_what_follows_the_header_at_once_is_the_clients():
    one = server(smtpd_forbid_unauth_pipelining="no")
    assert one.connect().replies(V1 + b"NOOP\r\n")[-1] == "250 2.0.0 Ok"


def test_a_connection_of_the_load_balancers_own():
    one = server()
    assert one.connect("127.0.0.1", 4000).say(LOCAL).startswith(b"220 ")
    assert one.log.lines == ["info connect from localhost[127.0.0.1]:4000"]


REFUSAL = ["421 4.3.0 mail.example Server local error"]


def complaint(one):
    assert one.log.lines[1:] == [
        "info connect from unknown[127.0.0.1]:40000",
        "info disconnect from unknown[127.0.0.1]:40000 commands=0/0",
    ]
    return one.log.lines[0]


def test_anything_else_ends_the_connection():
    one = server()
    peer = one.connect()
    assert peer.replies(b"EHLO x\r\n") == REFUSAL
    assert peer.closed
    assert complaint(one) == "warning haproxy read: short protocol header: EHLO x\\r\\n"


@pytest.mark.parametrize(
    ("octets", "text"),
    [(b"", "timeout error"), (b"PROXY TCP4", "missing protocol header terminator: PROXY TCP4")],
)
def test_the_time_for_the_header_is_limited(octets, text):
    one = server(smtpd_upstream_proxy_timeout="3s")
    peer = one.connect()
    assert peer.say(octets) == b""
    one.clock.pump([1] * 5)
    assert peer.replies() == REFUSAL
    assert complaint(one) == f"warning haproxy read: {text}"


def test_octets_now_and_then_do_not_extend_it():
    one = server(smtpd_upstream_proxy_timeout="3s")
    peer = one.connect()
    for number in range(5):
        peer.say(V1[number : number + 1])
        one.clock.advance(1)
    assert peer.closed


def test_a_client_that_leaves():
    one = server()
    one.connect().leave()
    assert complaint(one) == "warning haproxy read: EOF"


def test_later_time_limits_are_the_ordinary_ones():
    one = server(smtpd_upstream_proxy_timeout="3s", smtpd_timeout="100s")
    peer = one.connect()
    peer.say(V1)
    one.clock.pump([1] * 90)
    assert not peer.closed
    one.clock.pump([1] * 20)
    assert peer.closed
