"""Random and mutated sessions: every answer is a declared reply, nothing is left behind, pieces do not matter."""

from __future__ import annotations

import gc
import random
import re
import sys

import pytest
from smtpd_dialogue import VECTORS, parse
from smtpd_stand_ins import Server

from mailer.net.server import ServerConnection
from mailer.receive.session import SmtpSession
from mailer.receive.transaction import Transaction

_REPLY = re.compile(
    r"(?:220|221|250|252|354|421|450|451|452|454|458|459|500|501|502|503|504|521|550|551|552|553|554|555|556)[ -]"
)
_WORDS = [
    b"EHLO", b"HELO", b"MAIL", b"RCPT", b"DATA", b"BDAT", b"RSET", b"NOOP", b"VRFY", b"ETRN", b"QUIT", b"AUTH",
    b"STARTTLS", b"XCLIENT", b"XFORWARD", b"FROM:", b"TO:", b"<", b">", b"<>", b"<a@example.org>", b"<b@mail.example>",
    b"SIZE=", b"BODY=8BITMIME", b"SMTPUTF8", b"NOTIFY=", b"NEVER", b"ORCPT=rfc822;", b"RET=", b"ENVID=", b"LAST", b"5",
    b"0", b"99999999999", b" ", b" ", b" ", b"\t", b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b".", b"\r\n.\r\n",
    b"..", b"\0", b"\xff", b"\xc3\xa9", b'"', b"\\", b"(", b"[", b"]", b"@", b",", b":", b";", b"=", b"+2B", b"x" * 3000,
    b"From ", b"Subject: x\r\n\r\nbody", b"DATA\r\n", b"BDAT 3 LAST\r\n",
]  # fmt: skip
_OPENING = b"EHLO client.example\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@mail.example>\r\n"
_SEEDS = [
    b"".join(exchange.sent for exchange in parse(path.read_text()).exchanges) for path in sorted(VECTORS.glob("*.txt"))
]
_SETTINGS = {
    "smtpd_forbid_unauth_pipelining": "no",
    "message_size_limit": "5000",
    "smtpd_hard_error_limit": "50",
    "mynetworks": "127.0.0.0/8",
}


def _random_session(chance: random.Random) -> bytes:
    words = b"".join(chance.choice(_WORDS) for _ in range(chance.randrange(60)))
    return _OPENING + words if chance.random() < 0.5 else words


def _mutated_session(chance: random.Random) -> bytes:
    octets = bytearray(chance.choice(_SEEDS))
    for _ in range(chance.randrange(1, 8)):
        at = chance.randrange(len(octets) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            octets[at : at + chance.randrange(1, 6)] = b""
        elif kind == 1:
            octets[at:at] = chance.choice(_WORDS)
        elif kind == 2:
            octets[at : at + 1] = bytes([chance.randrange(256)])
        else:
            octets[at:at] = chance.choice(_SEEDS)[:80]
    return bytes(octets)


def _play(server: Server, octets: bytes, pieces: list[bytes]) -> tuple[bytes, list[bytes]]:
    """What came back, and the content of the messages taken."""
    before = len(server.sink.messages)
    peer = server.connect()
    replies = b"".join(peer.say(piece) for piece in pieces if not peer.closed)
    replies += peer.transport.received()
    peer.leave()
    return replies, [writer.content for writer in server.sink.messages[before:]]


def _in_pieces(chance: random.Random, octets: bytes) -> list[bytes]:
    pieces = []
    while octets:
        size = chance.choice((1, 1, 2, 3, 7, 50, 1000))
        pieces.append(octets[:size])
        octets = octets[size:]
    return pieces


@pytest.mark.parametrize("make", [_random_session, _mutated_session], ids=["random", "mutated"])
@pytest.mark.parametrize("mode", ["normalize", "reject", "no"])
def test_only_declared_replies(make: object, mode: str) -> None:
    settings = {**_SETTINGS, "smtpd_forbid_bare_newline": mode, "smtpd_forbid_bare_newline_exclusions": ""}
    server, other = Server(settings), Server(settings)
    for seed in range(400):
        chance = random.Random(seed)
        octets = make(chance)  # type: ignore[operator]
        replies, messages = _play(server, octets, [octets])
        for line in replies.decode("utf-8", "surrogateescape").split("\r\n")[:-1]:
            assert _REPLY.match(line), (seed, line)
        again, same = _play(other, octets, _in_pieces(chance, octets))
        assert _without_ids(again) == _without_ids(replies), seed
        assert [_body(content) for content in same] == [_body(content) for content in messages], seed
        for content in messages:
            assert content.count(b"\n") == content.count(b"\r\n") and content.endswith(b"\r\n"), seed
    assert {writer.state for writer in server.sink.writers} <= {"committed", "aborted"}
    assert not [line for line in server.log.lines if "internal fault" in line]
    assert server.factory.sessions == 0
    assert len(server.sink.messages) >= 5


def _without_ids(replies: bytes) -> bytes:
    return re.sub(rb"queued as \w+", b"queued", replies)


def _body(content: bytes) -> bytes:
    return content.partition(b"\r\n\tby ")[2].partition(b"\r\n\tfor ")[2] or content.partition(b";\r\n\t")[2]


def test_nothing_stays_in_memory() -> None:
    server = Server(_SETTINGS)

    def play(seeds: range) -> None:
        for seed in seeds:
            chance = random.Random(seed)
            octets = _mutated_session(chance)
            _play(server, octets, [octets])
        server.sink.writers.clear()
        server.sink.messages.clear()
        server.log.lines.clear()

    play(range(200))
    gc.collect()
    kinds = (ServerConnection, SmtpSession, Transaction)
    # Other tests' sessions may still be held by a logged traceback: only ours are counted.
    earlier = {id(thing) for thing in gc.get_objects() if isinstance(thing, kinds)}
    before = len(gc.get_objects())
    play(range(200, 600))
    gc.collect()
    objects = gc.get_objects()
    assert not [thing for thing in objects if isinstance(thing, kinds) and id(thing) not in earlier]
    assert len(objects) - before < 200
    assert server.clock.getDelayedCalls() == []


def test_an_endless_client_costs_a_bounded_amount() -> None:
    server = Server({**_SETTINGS, "smtpd_hard_error_limit": "1000000"})
    for opening, filler in (
        (b"", b"x" * 10_000),
        (b"", b"NOOP\r\n" * 2_000),
        (_OPENING + b"DATA\r\n", b"x" * 10_000),
        (_OPENING + b"DATA\r\n", b"\r\n." * 3_000),
        (_OPENING + b"DATA\r\n", b"\r" * 10_000),
        (_OPENING + b"BDAT 4000000000\r\n", b"\n" * 10_000),
    ):
        peer = server.connect()
        peer.say(opening)
        for _ in range(50):
            peer.say(filler)
        assert sys.getsizeof(peer.protocol.machine._input) < 200_000
        assert peer.protocol.machine.pending < 70_000
        assert all(len(writer.content) < 10_000 for writer in server.sink.writers)
        peer.leave()
