"""Transcripts of sessions with errors for the postmaster; the layout is the one that Postfix 3.7 mails."""

from __future__ import annotations

import pytest
from smtpd_stand_ins import Server

from mailer.message.status import Reply, TemporaryError
from mailer.receive.transcript import Transcript

ALL = {"notify_classes": "protocol, policy, resource, software, data", "smtpd_peername_lookup": "no"}


RELAY = b"MAIL FROM:<a@example.org>\nRCPT TO:<x@elsewhere.example>"


def talk(settings: dict[str, str], *commands: bytes) -> list[str]:
    """The contents of the notices that a session causes."""
    server = Server(settings)
    peer = server.connect()
    for command in b"\n".join((b"HELO x", *commands)).split(b"\n"):
        peer.say(command + b"\r\n")
    peer.leave()
    return [message.content.decode() for message in server.sink.messages if message.envelope.source == "notify"]


def test_what_is_mailed() -> None:
    (text,) = talk({**ALL, "error_notice_recipient": "admin"}, b"FOO", b"QUIT")
    head, _, body = text.partition("\r\n\r\n")
    assert "\r\nSubject: Postfix SMTP server: errors from unknown[127.0.0.1]" in head
    assert "\r\nTo: Postmaster <admin>\r\n" in head
    assert body.split("\r\n") == [
        "Transcript of session follows.",
        "",
        " Out: 220 mail.example ESMTP Postfix",
        " In:  HELO x",
        " Out: 250 mail.example",
        " In:  FOO",
        " Out: 500 5.5.2 Error: command not recognized",
        " In:  QUIT",
        " Out: 221 2.0.0 Bye",
        "",
        "",
        "For other details, see the local mail logfile",
        "",
    ]


def test_sender_and_reason() -> None:
    server = Server(ALL)
    peer = server.connect()
    peer.say(b"FOO\r\n")
    peer.leave()
    (notice,) = server.sink.messages
    assert notice.envelope.sender == "double-bounce@mail.example"
    assert notice.recipients[0].address == "postmaster"
    assert b"\r\n\r\nSession aborted, reason: lost connection\r\n\r\nFor other" in notice.content


@pytest.mark.parametrize(
    ("classes", "command", "mailed"),
    [
        ("protocol", b"FOO", 1),
        ("policy", b"FOO", 0),
        ("", b"FOO", 0),
        ("bounce, resource, software", b"FOO", 0),
        ("policy", RELAY, 1),
        ("protocol", RELAY, 0),
        ("protocol, policy", b"NOOP", 0),
    ],
)
def test_classes(classes: str, command: bytes, mailed: int) -> None:
    settings = {**ALL, "notify_classes": classes, "mynetworks": "192.0.2.0/24"}
    assert len(talk(settings, command, b"QUIT")) == mailed


def test_a_wrong_restriction_is_our_trouble() -> None:
    server = Server({**ALL, "notify_classes": "software"})

    async def wrong(session: object) -> Reply:
        return Reply(451, "4.3.5", "Server configuration error")

    server.access.rcpt = wrong
    peer = server.connect()
    for line in (b"HELO x", *RELAY.split(b"\n"), b"QUIT"):
        peer.say(line + b"\r\n")
    peer.leave()
    (notice,) = server.sink.messages
    text = notice.content.decode()
    assert " Out: 451 4.3.5 Server configuration error\r\n" in text


def test_too_many_recipients_are_a_matter_of_policy() -> None:
    settings = {**ALL, "notify_classes": "resource, software", "smtpd_recipient_limit": "1"}
    recipient = b"RCPT TO:<a@mail.example>"
    assert talk(settings, b"MAIL FROM:<b@c.example>", recipient, recipient, b"QUIT") == []


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("452 4.3.1 Insufficient system storage", "resource"),
        ("451 4.3.0 Error: queue file write error", "software"),
        ("454 4.7.0 TLS not available due to local problem", "software"),
        ("503 5.5.1 Error: nested MAIL command", "protocol"),
        ("421 4.7.0 host Error: too many errors", "protocol"),
    ],
)
def test_kinds_of_replies(reply: str, kind: str) -> None:
    transcript = Transcript(frozenset((kind,)), 10)
    transcript.refused(reply)
    assert transcript.due
    transcript = Transcript(frozenset(("policy",)), 10)
    transcript.refused(reply)
    assert not transcript.due


def test_passwords_are_not_told_and_memory_is_bounded() -> None:
    transcript = Transcript(frozenset(("protocol",)), 3)
    transcript.heard("auth plain AGpvZQBzZWNyZXQ=")
    assert list(transcript) == [" In:  auth plain"]
    for number in range(10):
        transcript.said(b"250-%d\r\n250 x\r\n" % number)
    assert list(transcript) == [" Out: 250 x", " Out: 250-9", " Out: 250 x"]


def test_long_lines_are_broken() -> None:
    (text,) = talk(ALL, b"FOO " + b"word " * 30, b"QUIT")
    lines = text.split("\r\n")
    at = lines.index(" In:  FOO" + " word" * 14)
    assert lines[at + 1 : at + 3] == ["    " + " word" * 15, "     word "]


@pytest.mark.parametrize("where", ["refusal", "failure"])
def test_a_notice_that_is_not_taken_is_told_in_the_log(where: str) -> None:
    server = Server(ALL)
    peer = server.connect()
    peer.say(b"FOO\r\n")
    setattr(server.sink, where, TemporaryError("disk full"))
    peer.leave()
    assert not server.sink.messages
    assert "warning postmaster notify problem: disk full" in server.log.lines
