"""The before-queue content filter in memory: what it hears, what the client and the log hear of it, and how it can fail."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from smtpd_stand_ins import Server
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from mailer.config.errors import ConfigError

_GREETING = b"220 filter\r\n"
_EHLO = b"250-filter\r\n250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n"


class Filter(StringTransport):
    """A connection to a filter that answers each line by its first four letters."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.protocol: Any = None
        self.content = False

    def write(self, data: bytes) -> None:
        for line in data.splitlines(keepends=True):
            self.world.heard.append(line)
            self._answer(line)

    def _answer(self, line: bytes) -> None:
        if self.content and line != b".\r\n":
            return
        self.content = line == b"DATA\r\n" and self.world.script.get(b"DATA", b"354").startswith(b"354")
        default = _EHLO if line[:4] == b"EHLO" else b"354 go\r\n" if self.content else b"250 fine\r\n"
        reply = self.world.script.get(line[:4].rstrip(b"\r\n"), default)
        if reply == b"":
            self.protocol.connectionLost(Failure(ConnectionDone()))
        elif reply is not None and line != b"QUIT\r\n":
            self.protocol.dataReceived(reply)


class World:
    """``script``: first letters of a line -> the reply, b"" to hang up, None for silence. ``heard``: all lines said."""

    def __init__(self, script: dict[bytes, Any] | None = None, refuses: bool = False, **settings: str) -> None:
        self.script = script or {}
        self.heard: list[bytes] = []
        self.refuses = refuses
        given = {
            "smtpd_proxy_filter": "127.0.0.1:10025",
            "mynetworks": "127.0.0.0/8",
            "mydestination": "mail.example",
            "local_header_rewrite_clients": "",
        }
        self.server = Server({**given, **settings})
        self.server.clock.connectTCP = self._connect

    def _connect(self, host: str, port: int, factory: Any, timeout: float) -> None:
        assert (host, port) == ("127.0.0.1", 10025)
        if self.refuses:
            factory.clientConnectionFailed(None, Failure(ConnectionRefusedError(osError=errno.ECONNREFUSED)))
            return
        transport = Filter(self)
        transport.protocol = factory.buildProtocol(None)
        transport.protocol.makeConnection(transport)
        transport.protocol.dataReceived(self.script.get(b"220", _GREETING))

    def send(self, *recipients: bytes, content: bytes = b"Subject: x\r\n\r\n..dot\r\n") -> list[str]:
        self.peer = self.server.connect()
        said = self.peer.replies(b"EHLO client.example\r\n")[-1:]
        said = self.peer.replies(b"MAIL FROM:<a@example.org> SIZE=10\r\n")
        for recipient in recipients or (b"<b@mail.example>",):
            said += self.peer.replies(b"RCPT TO:" + recipient + b"\r\n")
        said += self.peer.replies(b"DATA\r\n")
        return said + (self.peer.replies(content + b".\r\n") if said[-1].startswith("354") else [])


@pytest.mark.parametrize("options", ["", "speed_adjust"])
def test_a_message_passes(options: str) -> None:
    world = World({b".\r\n".strip(): b"250-2.0.0 taken\r\n250 2.0.0 as 7\r\n"}, smtpd_proxy_options=options)
    assert world.send()[-2:] == ["250-2.0.0 taken", "250 2.0.0 as 7"]
    heard = b"".join(world.heard)
    assert (
        heard.startswith(
            b"EHLO mail.example\r\nXFORWARD NAME=localhost ADDR=127.0.0.1 PORT=40000 HELO=client.example"
            b" IDENT=[UNAVAILABLE] PROTO=ESMTP SOURCE=REMOTE\r\n"
            b"MAIL FROM:<a@example.org> SIZE=10\r\nRCPT TO:<b@mail.example>\r\nDATA\r\n"
        )
        or b"SOURCE=REMOTE" in heard
    )
    assert b"\tby mail.example (Postfix) with ESMTP\r\n\tfor <b@mail.example>;" in heard
    assert heard.endswith(b"Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n")
    assert not world.server.sink.writers
    lines = "\n".join(world.server.log.lines)
    assert "NOQUEUE: client=localhost[127.0.0.1]" in lines
    assert (
        "proxy-accept: END-OF-MESSAGE: 250-2.0.0 taken??250 2.0.0 as 7; from=<a@example.org> to=<b@mail.example>"
        " proto=ESMTP helo=<client.example>" in lines
    )


def test_a_recipient_is_refused_in_the_filters_words() -> None:
    world = World({b"RCPT": b"550-5.1.1 one\r\n550 5.1.1 two\r\n"})
    assert world.send()[1:] == ["550-5.1.1 one", "550 5.1.1 two", "554 5.5.1 Error: no valid recipients"]
    assert (
        'warning proxy 127.0.0.1:10025 rejected "RCPT TO:<b@mail.example>": "550-5.1.1 one??550 5.1.1 two"'
        in world.server.log.lines
    )


@pytest.mark.parametrize("options", ["", "speed_adjust"])
@pytest.mark.parametrize(
    ("script", "refuses"),
    [({}, True), ({b"220": b"554 no\r\n"}, False), ({b"EHLO": b"500 x\r\n", b"HELO": b"500 x\r\n"}, False),
     ({b"MAIL": b""}, False), ({b"RCPT": b"354 odd\r\n"}, False), ({b"RCPT": b"nonsense\r\n"}, False)],
)  # fmt: skip
def test_what_is_no_reply_to_a_message_is_a_failure_for_now(script: Any, refuses: bool, options: str) -> None:
    world = World(script, refuses, smtpd_proxy_options=options)
    assert "451 4.3.0 Error: queue file write error" in world.send()
    assert not [line for line in world.server.log.lines if "fault" in line]


def test_a_yes_in_the_wrong_place_is_no_yes() -> None:
    world = World({b".": b"354 what\r\n"})
    assert world.send()[-1] == "451 4.3.0 Error: queue file write error"
    world = World({b"DATA": b"250 what\r\n"})
    assert world.send()[-1] == "451 4.3.0 Error: queue file write error"


def test_a_silent_filter_costs_its_time() -> None:
    world = World({b"RCPT": None}, smtpd_proxy_timeout="7s")
    world.send()
    world.server.clock.advance(7)
    assert "451 4.3.0 Error: queue file write error" in world.peer.replies()
    assert "warning timeout talking to proxy 127.0.0.1:10025" in world.server.log.lines


def test_a_filter_that_knows_only_helo() -> None:
    world = World({b"EHLO": b"500 what\r\n"})
    assert world.send()[-1] == "250 fine"
    assert world.heard[1:3] == [b"HELO mail.example\r\n", b"MAIL FROM:<a@example.org> SIZE=10\r\n"]


def test_a_message_that_is_broken_off_gets_no_final_dot() -> None:
    world = World()
    peer = world.server.connect()
    peer.say(b"EHLO x\r\n")
    peer.say(b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@mail.example>\r\nDATA\r\n")
    peer.say(b"Subject: x\r\n\r\nhalf")
    peer.leave()
    assert b".\r\n" not in world.heard and b"DATA\r\n" in world.heard


@pytest.mark.parametrize("place", ["host:", "x", "127.0.0.1:0", "inet:127.0.0.1:99999"])
def test_wrong_places(place: str) -> None:
    with pytest.raises(ConfigError):
        World(smtpd_proxy_filter=place)


def test_unknown_options() -> None:
    with pytest.raises(ConfigError):
        World(smtpd_proxy_options="faster")
