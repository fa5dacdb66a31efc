"""Dialogues with postscreen as they were recorded from Postfix 3.7, replayed in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from certificates import both
from screen_stand_ins import Screened

VECTORS = sorted((Path(__file__).parent.parent / "vectors/postscreen").glob("*.txt"))
#: How long the recording client waited for the first and for later replies.
FIRST, LATER = 2.7, 0.3


def replay(path: Path, certificate: str) -> None:
    rows = [line.partition(": ")[::2] for line in path.read_text().splitlines()]
    rows = [(kind.rstrip(":"), rest) for kind, rest in rows]
    main = dict(rest.split("=", 1) for kind, rest in rows if kind == "main")
    for parameter, value in main.items():
        main[parameter] = value.strip().replace("{certificate}", certificate)
    world = Screened(main)
    peer, first = None, FIRST
    for number, (kind, rest) in enumerate(rows, 1):
        where = f"{path.name}, line {number}"
        if kind == "client":
            peer, first, said = world.connect(rest), FIRST, b""
        elif kind == "C":
            assert peer is not None
            said += peer.say(json.loads(rest).encode("latin-1"))
        elif kind == "S":
            assert peer is not None
            world.wait(first)
            first = LATER
            said += peer.transport.received()
            text = said.decode("latin-1") + ("<EOF>" if peer.closed else "")
            assert (text or "<wait>") == json.loads(rest), where
            said = b""
            if peer.closed:
                peer.leave()
        elif kind == "wait":
            world.wait(float(rest))
        elif kind == "close":
            assert peer is not None
            peer.leave()
    log = [rest for kind, rest in rows if kind == "log"]
    told = [line for line in world.told if not line.startswith("postscreen: ID") and _ours(line)]
    # When a list answers is its own affair.
    assert [line for line in told if not line.startswith("dnsblog")] == [line for line in log if "dnsblog" not in line]
    assert sorted(told) == sorted(log)


def _ours(line: str) -> bool:
    """Not what the SMTP server behind it says."""
    text = line.partition(": ")[2]
    return "unknown[" not in text and not text.startswith("tlsproxy")


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_as_postfix(path: Path, tmp_path: Path) -> None:
    certificate = tmp_path / "server.pem"
    certificate.write_bytes(both("postfix.test"))
    replay(path, str(certificate))
