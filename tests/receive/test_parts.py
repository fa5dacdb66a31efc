"""The small parts of the SMTP service by themselves."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.status import Reply
from mailer.receive import lines
from mailer.receive.anvil import Anvil
from mailer.receive.content import MessageTop
from mailer.receive.footer import RejectFooter
from mailer.receive.peername import FORGED, NONE, OK, TEMPORARY, PeerNames
from mailer.receive.replies import reply_lines, wire
from mailer.testing.dns import FAILS, FakeResolver
from mailer.testing.log import RecordingLog
from mailer.testing.tables import answer


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_anvil_counts_connections_and_events() -> None:
    clock = Clock()
    anvil = Anvil(clock, 60.0)
    assert answer(anvil.connect("smtp", "192.0.2.1")) == (1, 1)
    assert answer(anvil.connect("smtp", "192.0.2.1")) == (2, 2)
    assert answer(anvil.connect("smtp", "192.0.2.2")) == (1, 1)
    assert answer(anvil.connect("submission", "192.0.2.1")) == (1, 1)
    assert [answer(anvil.message("smtp", "192.0.2.1")) for _ in range(3)] == [1, 2, 3]
    assert [answer(anvil.recipient("smtp", "192.0.2.1")) for _ in range(2)] == [1, 2]
    answer(anvil.disconnect("smtp", "192.0.2.1"))
    assert answer(anvil.connect("smtp", "192.0.2.1")) == (2, 3)
    clock.now = 60.5
    assert answer(anvil.message("smtp", "192.0.2.1")) == 1
    assert answer(anvil.connect("smtp", "192.0.2.1")) == (3, 1)


def test_anvil_forgets_clients_that_are_gone() -> None:
    clock = Clock()
    anvil = Anvil(clock, 60.0)
    answer(anvil.connect("smtp", "192.0.2.1"))
    answer(anvil.disconnect("smtp", "192.0.2.1"))
    assert len(anvil) == 1
    answer(anvil.connect("smtp", "192.0.2.1"))
    clock.now = 100.0
    answer(anvil.disconnect("smtp", "192.0.2.1"))
    assert len(anvil) == 0


def test_anvil_tells_who_did_most(monkeypatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    clock = Clock()
    anvil = Anvil(clock, 60.0, wall=lambda: 1795547630.0)
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        answer(anvil.connect("smtp", address))
    answer(anvil.message("smtp", "192.0.2.2"))
    answer(anvil.newtls("smtp", "192.0.2.2", 0))
    assert anvil.peaks.lines() == [
        "statistics: max connection rate 2/60s for (smtp:192.0.2.1) at Nov 24 19:13:50",
        "statistics: max connection count 2 for (smtp:192.0.2.1) at Nov 24 19:13:50",
        "statistics: max message rate 1/60s for (smtp:192.0.2.2) at Nov 24 19:13:50",
        "statistics: max cache size 2 at Nov 24 19:13:50",
    ]
    assert anvil.peaks.lines() == []


def test_anvil_is_bounded() -> None:
    clock = Clock()
    anvil = Anvil(clock, 60.0)
    for number in range(10_000):
        answer(anvil.message("smtp", f"10.1.{number // 250}.{number % 250}"))
    clock.now = 100.0
    answer(anvil.message("smtp", "192.0.2.1"))
    assert len(anvil) == 1


def test_anvil_counts_networks_as_one_client() -> None:
    anvil = Anvil(Clock(), 60.0, 24, 64)
    assert answer(anvil.connect("smtp", "192.0.2.1")) == (1, 1)
    assert answer(anvil.connect("smtp", "192.0.2.200")) == (2, 2)
    assert answer(anvil.connect("smtp", "2001:db8::1")) == (1, 1)
    assert answer(anvil.connect("smtp", "2001:db8::2:1")) == (2, 2)
    assert answer(anvil.connect("smtp", "2001:db8:0:1::1")) == (1, 1)


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ({"192.0.2.1": {"PTR": ["a.example."]}, "a.example": {"A": ["192.0.2.1"]}}, ("a.example", "a.example", OK, OK)),
        ({}, ("unknown", "unknown", NONE, NONE)),
        ({"192.0.2.1": FAILS}, ("unknown", "unknown", TEMPORARY, TEMPORARY)),
        ({"192.0.2.1": {"PTR": ["a.example"]}}, ("unknown", "a.example", NONE, OK)),
        ({"192.0.2.1": {"PTR": ["a.example"]}, "a.example": FAILS}, ("unknown", "a.example", TEMPORARY, OK)),
        (
            {"192.0.2.1": {"PTR": ["a.example"]}, "a.example": {"A": ["192.0.2.2"]}},
            ("unknown", "a.example", FORGED, OK),
        ),
        ({"192.0.2.1": {"PTR": ["192.0.2.1"]}}, ("unknown", "unknown", NONE, NONE)),
        ({"192.0.2.1": {"PTR": ["evil name"]}}, ("unknown", "unknown", NONE, NONE)),
    ],
)
def test_peer_names(zone: dict[str, Any], expected: tuple[str, ...]) -> None:
    found = answer(PeerNames(FakeResolver(zone), Clock()).look_up("192.0.2.1"))
    assert (found.name, found.reverse_name, found.status, found.reverse_status) == expected


def test_peer_names_are_remembered_unless_they_could_not_be_had() -> None:
    clock = Clock()
    resolver = FakeResolver(
        {"192.0.2.1": {"PTR": ["a.example"]}, "a.example": {"A": ["192.0.2.1"]}, "192.0.2.2": FAILS}
    )
    names = PeerNames(resolver, clock)
    for _ in range(3):
        answer(names.look_up("192.0.2.1"))
    assert len(resolver.queries) == 2
    clock.now = 301.0
    answer(names.look_up("192.0.2.1"))
    assert len(resolver.queries) == 4
    clock.now = 302.0
    answer(names.look_up("192.0.2.2"))
    clock.now = 303.0
    answer(names.look_up("192.0.2.2"))
    assert len(resolver.queries) == 6


TOPS = [
    (b"Subject: x\r\n\r\nFrom me\r\n", b"Subject: x\r\n\r\nFrom me\r\n"),
    (
        b"From a b\r\n>From c\r\nSubject: x\r\n",
        b"X-Mailbox-Line: From a b\r\nX-Mailbox-Line: >From c\r\nSubject: x\r\n",
    ),
    (b" x\r\n", b"\r\n x\r\n"),
    (b"From a\r\n\tx\r\n", b"X-Mailbox-Line: From a\r\n\r\n\tx\r\n"),
    (b"From: x\r\n", b"From: x\r\n"),
    (b"From\r\n", b"From\r\n"),
    (b"> From x\r\n", b"> From x\r\n"),
    (b"F", b"F"),
    (b"", b""),
]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(("content", "expected"), TOPS)
def test_message_tops(content: bytes, expected: bytes, size: int) -> None:
    top = MessageTop()
    given = b""
    for at in range(0, len(content), size):
        piece = content[at : at + size]
        given += piece if top.settled else top.feed(piece)
    if not top.settled:
        given += top.feed(b"", last=True)
    assert given == expected


def test_mailbox_lines_stay_in_chunks() -> None:
    top = MessageTop(mailbox_lines=False)
    assert top.feed(b"From a\r\nx\r\n") == b"From a\r\nx\r\n"
    assert top.settled


@given(st.binary(max_size=60).map(lambda octets: octets.replace(b"\n", b"\r\n")), st.integers(1, 9))
def test_message_tops_lose_nothing(content: bytes, size: int) -> None:
    top = MessageTop()
    given = b""
    for at in range(0, len(content), size):
        piece = content[at : at + size]
        given += piece if top.settled else top.feed(piece)
    given += b"" if top.settled else top.feed(b"", last=True)
    assert given.replace(b"X-Mailbox-Line: ", b"").endswith(content.replace(b"X-Mailbox-Line: ", b""))


def test_a_top_that_never_ends_is_not_kept() -> None:
    top = MessageTop()
    given = sum(len(top.feed(b"From " + b"x" * 995)) for _ in range(100) if not top.settled)
    assert top.settled and given >= 2000


class FooterSettings:
    myhostname = "mail.example"
    smtpd_reject_footer_maps = ()
    smtpd_expansion_filter = "\\t\\40abcdefghijklmnopqrstuvwxyz0123456789.:"

    def __init__(self, footer: str) -> None:
        self.smtpd_reject_footer = footer


@pytest.mark.parametrize(
    ("footer", "expected"),
    [
        ("\\c. Ask us", ["550 5.1.1 No. Ask us"]),
        ("Ask us\\nor them", ["550 5.1.1 No", "550 5.1.1 Ask us", "550 5.1.1 or them"]),
        ("$server_name ${client_address} $(helo_name)", ["550 5.1.1 No", "550 5.1.1 mail.example 192.0.2.1 a_b"]),
    ],
)
def test_footers(footer: str, expected: list[str]) -> None:
    made = RejectFooter(FooterSettings(footer), lambda: 0.0, RecordingLog(), None)
    assert made.add(["550 5.1.1 No"], {"client_address": "192.0.2.1", "helo_name": "a<b"}) == expected


def test_a_reply_of_several_lines() -> None:
    assert wire(reply_lines(Reply(550, "5.7.1", "no\nnever"))) == b"550-5.7.1 no\r\n550 5.7.1 never\r\n"
    assert wire(reply_lines(Reply(250, "", "ok"))) == b"250 ok\r\n"
    assert wire(["550 a\rb\x00c\u00e9"]) == "550 a b c\u00e9\r\n".encode()


def test_early_input_cannot_forge_log_lines() -> None:
    assert lines.escaped(b"a\r\nb\x00\x80\\") == "a\\r\\nb\\000\\200\\\\"


def test_counts_at_the_end() -> None:
    counts = [("ehlo", 1, 1), ("mail", 0, 2), ("quit", 1, 1)]
    assert lines.disconnect("a[b]", counts) == "disconnect from a[b] ehlo=1 mail=0/2 quit=1 commands=2/4"
    assert lines.disconnect("a[b]", []) == "disconnect from a[b] commands=0/0"
    assert lines.disconnect("a[b]", [("quit", 1, 1)]) == "disconnect from a[b] quit=1 commands=1"
