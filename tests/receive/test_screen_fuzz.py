"""Hostile clients of the screen: any octets give replies from its list, nothing breaks off, nothing stays behind."""

from __future__ import annotations

import random

import pytest
from screen_stand_ins import Screened
from twisted.logger import globalLogPublisher

_PIECES = [
    b"EHLO x\r\n", b"HELO y\r\n", b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<x@y>\r\n", b"DATA\r\n", b"BDAT 5 LAST\r\n", b"RSET\r\n",
    b"QUIT\r\n", b"GET / HTTP/1.1\r\n", b"Subject: x\r\n", b"NOOP\n", b"STARTTLS\r\n", b"\0", b"\r", b"\n", b"\xff\xfe", b"  ",
    b"VRFY x\r\n", b"x" * 3000, b"MAIL FROM:<\"a\r\n", b"RCPT TO:" + b"<" * 500 + b"\r\n", b"EHLO " + b"\x80" * 300 + b"\r\n",
]  # fmt: skip
_SETTINGS = {
    "postscreen_pipelining_enable": "yes",
    "postscreen_non_smtp_command_enable": "yes",
    "postscreen_bare_newline_enable": "yes",
    "postscreen_dnsbl_sites": "bl.test, wl.test*-2, fail.test",
    "postscreen_greet_wait": "1s",
}


@pytest.mark.parametrize("action", ["ignore", "enforce", "drop"])
def test_hostile_clients(action: str) -> None:
    chance = random.Random(action)
    faults: list[object] = []

    def observe(event: dict[str, object]) -> None:
        if "log_failure" in event:
            faults.append(event["log_failure"])

    names = ("greet", "dnsbl", "pipelining", "non_smtp_command", "bare_newline")
    world = Screened({**_SETTINGS, **{f"postscreen_{name}_action": action for name in names}})
    globalLogPublisher.addObserver(observe)
    try:
        for number in range(150):
            peer = world.connect(f"127.0.{chance.randrange(3)}.{number % 250 + 1}")
            if chance.random() < 0.6:
                world.wait(1.2)
            for _ in range(chance.randrange(1, 8)):
                if peer.closed:
                    break
                octets = b"".join(chance.choices(_PIECES, k=chance.randrange(1, 5)))
                for line in peer.say(octets, chance.choice([0, 0, 1, 7])).split(b"\r\n")[:-1]:
                    assert line[:3].isdigit() and line[3:4] in (b" ", b"-"), line
                world.wait(0.2)
            peer.leave()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert faults == []
    assert not world.front.connections
    assert world.screen.checking == 0 and not world.screen._clients
    world.wait(15)
    assert not world.screen.blocklists._scores
    assert all(line.isprintable() for line in world.log.lines)
