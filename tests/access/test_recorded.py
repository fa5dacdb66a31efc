"""Access dialogues recorded from the real Postfix, replayed in memory: replies, enhanced codes and log lines, octet by octet.

Where Postfix gives up (``fatal:``) ours has to refuse the configuration at start, in the same words.
"""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Any

import access_dialogue
import pytest
from smtpd_stand_ins import Server, real_access
from test_dialogues import _comparable, _log, _replies
from twisted.internet.error import ConnectError
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from mailer.config.errors import ConfigError
from mailer.testing.dns import FAILS, FakeResolver

VECTORS = sorted(access_dialogue.VECTORS.glob("*.txt"))
_FATAL = re.compile(r"fatal: (.*)").fullmatch
_HOSTS = {"127.0.0.1": {"PTR": ["localhost"]}, "localhost": {"A": ["127.0.0.1"], "AAAA": ["::1"]}}


def _no_such_socket(path: str, factory: Any, timeout: float) -> None:
    factory.clientConnectionFailed(None, Failure(ConnectError(osError=errno.ENOENT)))


class _Policy(StringTransport):
    """A connection to the policy server that a vector describes; it answers at once."""

    def __init__(self, world: Any, asked: list[str]) -> None:
        super().__init__()
        self._world, self._asked = world, asked
        self.protocol: Any = None

    def write(self, data: bytes) -> None:
        answers = self._world.policy
        answer = answers[min(len(self._asked), len(answers) - 1)]
        self._asked.append(access_dialogue.one_line(data.removesuffix(b"\n\n")))
        self.protocol.dataReceived(f"action={answer}\n\n".encode())


def memory_server(vector: Any, world: Any) -> Server:
    records = {**_HOSTS, **access_dialogue.read_zone(world.zone, FAILS)}
    settings = {
        "local_recipient_maps": "",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "queue_directory": "/nonexistent",
        **vector.main_cf,
    }
    server = Server(settings, FakeResolver(records), access=object())
    server.asked = []

    def call(host: str, port: int, factory: Any, timeout: float) -> None:
        assert (host, port) == ("127.0.0.1", 10031)
        transport = _Policy(world, server.asked)
        transport.protocol = factory.buildProtocol(None)
        transport.protocol.makeConnection(transport)

    server.clock.connectTCP = call
    server.clock.connectUNIX = _no_such_socket
    server.factory.service.access = real_access(server.context)
    return server


@pytest.mark.parametrize("path", VECTORS, ids=[path.stem for path in VECTORS])
def test_dialogue(path: Path) -> None:
    vector, world = access_dialogue.parse(path.read_text())
    fatal = [match[1] for match in map(_FATAL, vector.log) if match]
    if fatal:
        with pytest.raises(ConfigError) as caught:
            memory_server(vector, world)
        assert str(caught.value).startswith(fatal[0])
        return
    server = memory_server(vector, world)
    peer = server.connect(vector.client)
    for exchange in vector.exchanges:
        octets = peer.say(exchange.sent)
        for _ in range(3):
            if octets or not exchange.replies:
                break
            server.clock.advance(1)
            octets += peer.say(b"")
        got = _replies(octets + peer.say(b""))
        assert list(map(_comparable, got)) == list(map(_comparable, exchange.replies)), exchange.source
        assert peer.closed == exchange.hangup, exchange.source
        if exchange.hangup:
            break
    if not peer.closed:
        peer.leave()
    assert list(map(_comparable, _log(server))) == list(map(_comparable, vector.log))
    assert server.asked == world.asked
