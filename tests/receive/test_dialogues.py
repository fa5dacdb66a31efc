"""Dialogues recorded from the real Postfix, replayed on ours in memory: replies, log lines and content, octet by octet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import smtpd_dialogue as dialogue
from smtpd_stand_ins import Server, real_access

VECTORS = sorted(dialogue.VECTORS.glob("*.txt"))
_SERVICE = re.compile(r"for service \S+$")


def _replies(octets: bytes) -> list[str]:
    return [dialogue.anonymous(dialogue.escape(line)).replace("\\x09", " ") for line in octets.split(b"\r\n")[:-1]]


def _comparable(line: str) -> str:
    """What differs from run to run, or by the name of the listening socket."""
    line = _SERVICE.sub("for service SERVICE", dialogue.anonymous(line))
    line = re.sub(r"(warning: )[0-9A-F]{10,12}:", r"\1QID:", line)
    line = re.sub(r"queued as \w{15}$|^\w{15}(?=: client)", "QID", line).replace("queued as QID", "QID")
    line = re.sub(r"\]:(\d{4,5}|PORT)", "]:PORT", line)
    return re.sub(r"(cp=)\d+|x/\w+ [\d ]\d [\d:]+\?", r"\1", line)


def _log(server: Any) -> list[str]:
    found = []
    for entry in server.log.lines:
        severity, _, text = entry.partition(" ")
        text = "".join(c if c.isprintable() else "?" for c in text)
        found.append(text if severity == "info" else f"{severity}: {text}")
    return found


def _as_cleaned(content: bytes) -> list[str]:
    """What the cleanup stage does to content further on, as far as the recorded queue files show it."""
    text = re.sub(rb"\r(?!\n)", b" ", content)
    head, date, body = re.match(rb"(Received:.*?\n)(\t(?:for|[A-Z]).*?\r\n)(.*)", text, re.DOTALL).groups()
    if body and not re.match(rb"[!-9;-~]+[ \t]*:|\r\n", body):
        body = b"\r\n" + body
    lines = (head + date + body).split(b"\r\n")[:-1]
    return [dialogue.anonymous(dialogue.escape(line)) for line in lines]


def _settings(vector: Any) -> dict[str, str]:
    return {"local_recipient_maps": "", **vector.main_cf}


@pytest.mark.parametrize("piece", [0, 1], ids=["whole", "octets"])
@pytest.mark.parametrize("path", VECTORS, ids=[path.stem for path in VECTORS])
def test_dialogue(path: Path, piece: int) -> None:
    vector = dialogue.parse(path.read_text())
    if piece and any("pipelining" in line for line in vector.log):
        pytest.skip("octet by octet nothing comes too early")
    server = Server(_settings(vector))
    server.factory.service.access = real_access(server.context)
    peer = server.connect(vector.client)
    for exchange in vector.exchanges:
        octets = peer.say(exchange.sent, piece)
        for _ in range(int(exchange.wait) and int(exchange.wait) + 1):
            server.clock.advance(1)
        got = _replies(octets + peer.say(b""))
        assert list(map(_comparable, got)) == list(map(_comparable, exchange.replies)), exchange.source
        assert peer.closed == exchange.hangup, exchange.source
        if exchange.hangup:
            break
    if not peer.closed:
        peer.leave()
    assert list(map(_comparable, _log(server))) == list(map(_comparable, vector.log))
    if vector.message:
        assert _as_cleaned(server.sink.messages[0].content) == vector.message
    assert not [writer for writer in server.sink.writers if writer.state == "open"]
    assert server.factory.sessions == 0
