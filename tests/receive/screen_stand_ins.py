"""A screening service in memory with the SMTP server behind it."""

from __future__ import annotations

import re
from typing import Any

from smtpd_stand_ins import Peer, Server, Transport
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from mailer.message.dns import Answer
from mailer.message.status import TemporaryError
from mailer.net.sweep import Sweep
from mailer.receive.screen.factory import ScreenFactory
from mailer.receive.screen.service import Screen
from mailer.tables.cache import Cache
from mailer.testing.log import RecordingLog

__all__ = ["LISTED", "Lists", "Screened", "normal"]

#: What the lists of the recorded dialogues say.
LISTED = {
    "2.0.0.127.bl.test": "127.0.0.2",
    "2.0.0.127.bl2.test": "127.0.0.10",
    "3.0.0.127.bl2.test": "127.0.0.4",
    "4.0.0.127.wl.test": "127.0.0.1",
    "2.0.0.127.wl.test": "127.0.0.1",
}


class Lists:
    """Names with ``fail`` in them cannot be looked up, those with ``slow`` neither, but that takes two seconds."""

    def __init__(self, ttl: float = 3600.0) -> None:
        self.ttl = ttl
        self.asked: list[str] = []
        self.clock: Any = None

    async def a(self, name: str) -> Answer:
        self.asked.append(name)
        await deferLater(self.clock, 2.0 if "slow" in name else 0.05)
        if "slow" in name or "fail" in name:
            raise TemporaryError("Host not found, try again")
        found = LISTED.get(name)
        return Answer((found,) if found else (), exists=bool(found), ttl=self.ttl)


class Screened(Server):
    """``line`` is the log of all programs: ``postscreen: CONNECT from ...``."""

    def __init__(self, settings: dict[str, str], dns: Any = None, cache: Any = None) -> None:
        given = {
            "myhostname": "postfix.test",
            "mydestination": "postfix.test",
            "mynetworks": "127.0.0.200/32",
            "postscreen_greet_wait": "2s",
            "postscreen_cache_map": "",
            "smtpd_peername_lookup": "no",
            "smtpd_forbid_unauth_pipelining": "no",
            "inet_protocols": "ipv4",
            **settings,
        }
        self.lists = dns or Lists()
        super().__init__(given, self.lists)
        self.lists.clock = self.clock
        self.logs: dict[str, RecordingLog] = {}
        self.cache = Cache("", self.context, "postscreen_cache") if cache is None else cache
        self.screen = Screen(self.context, self._log, self.cache)
        self.front = ScreenFactory(self.screen, self.factory, Sweep(self.clock))

    def _log(self, program: str) -> Any:
        return _Named(program, self.log)

    def connect(self, address: str = "127.0.0.2", port: int = 40000) -> Peer:
        return _Peer(self, address, port)

    def wait(self, seconds: float) -> None:
        self.clock.pump([0.1] * round(seconds * 10))

    @property
    def told(self) -> list[str]:
        return [normal(line) for line in self.log.lines if "cleanup" not in line]


class _Named:
    """The log of another program, in the same order."""

    def __init__(self, program: str, log: RecordingLog) -> None:
        self._program, self._log = program, log

    def __getattr__(self, severity: str) -> Any:
        write = getattr(self._log, severity)
        return lambda text: write(f"{self._program}: {text}")


class _Peer(Peer):
    def __init__(self, server: Screened, address: str, port: int) -> None:
        peer = IPv4Address("TCP", address, port)
        self.transport = Transport(hostAddress=IPv4Address("TCP", "127.0.0.1", 2525), peerAddress=peer)
        self.protocol = server.front.buildProtocol(peer)
        self.protocol.makeConnection(self.transport)
        self._left = False

    def leave(self) -> None:
        if not self._left:
            self._left = True
            self.protocol.connectionLost(Failure(ConnectionDone()))


def normal(line: str) -> str:
    """A log line as the recorded ones are kept."""
    severity, _, text = line.partition(" ")
    program = ""
    found = re.match(r"(dnsblog|tlsproxy): ", text)
    if found:
        program, text = found[1], text[found.end() :]
    text = re.sub(r"(\d\]):\d{4,5}\b", r"\1:P", text)
    text = re.sub(r"after \d+\.\d+|after \d+(?= from)", "after T", text)
    text = text if severity == "info" else f"{severity}: {text}"
    return f"{program or 'postscreen'}: {text}"
