"""What one received message costs the SMTP server's side: protocol, session, log, a sink that keeps nothing.

In memory, one process, no sockets: ``python benchmarks/wire_server.py [messages] [--fresh]``. Prints microseconds a
message; with ``--fresh`` each message comes on a connection of its own. Guard: 150 us with the log.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

from twisted.internet import task
from twisted.internet.address import IPv4Address

from mailer.config.maincf import Entry
from mailer.config.settings import Settings
from mailer.interfaces.context import Context
from mailer.log.maillog import MailLog
from mailer.message.queueid import QueueIds
from mailer.receive.smtpd import SmtpdFactory
from mailer.tables.opening import Tables
from mailer.testing.dns import FakeResolver

LIMIT = 150.0


class NoAccess:
    """Admits everybody."""

    async def _pass(self, session: Any, domain: str = "") -> None:
        return None

    connect = helo = mail = rcpt = data = end_of_data = etrn = _pass


class NullWriter:
    def __init__(self, queue_id: str) -> None:
        self.queue_id = queue_id
        self.octets = 0

    def recipient(self, recipient: Any) -> None:
        pass

    def write(self, chunk: bytes) -> None:
        self.octets += len(chunk)

    async def commit(self) -> str:
        return self.queue_id

    def abort(self) -> None:
        pass


class NullSink:
    def __init__(self) -> None:
        self._ids = QueueIds(time.time, 1)

    def open(self, envelope: Any, producer: Any = None) -> NullWriter:
        return NullWriter(self._ids.next())


class NullDestination:
    def write(self, lines: Any) -> None:
        for seconds, _, tag, text in lines:
            f"{seconds} {tag}: {text}\n".encode()

    def reopen(self) -> None:
        pass


class NullTransport:
    disconnecting = False

    def __init__(self) -> None:
        self.octets = b""

    def getPeer(self) -> Any:
        return IPv4Address("TCP", "127.0.0.1", 40000)

    getHost = getPeer

    def write(self, octets: bytes) -> None:
        self.octets = octets

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        pass

    def unregisterProducer(self) -> None:
        pass

    def loseConnection(self) -> None:
        self.disconnecting = True


def service() -> SmtpdFactory:
    clock = task.Clock()
    settings = Settings({"myhostname": Entry("myhostname", "mail.example")})
    log = MailLog(NullDestination(), time.time, lambda: 1, later=lambda seconds, function: None).service("smtpd")
    zone = {"127.0.0.1": {"PTR": ["localhost"]}, "localhost": {"A": ["127.0.0.1"]}}
    context = Context(settings, clock, time.time, log, "smtp", dns=FakeResolver(zone))
    context = replace(context, tables=Tables(context))
    return SmtpdFactory(context, NoAccess(), None, NullSink())


def run(messages: int, fresh: bool, size: int = 4096) -> float:
    """:return: microseconds a message."""
    factory = service()
    line = b"x" * 70 + b"\r\n"
    body = b"Subject: benchmark\r\nFrom: a@example.org\r\nTo: b@mail.example\r\n\r\n" + line * (size // len(line))
    steps = (
        b"MAIL FROM:<sender@example.org>\r\n",
        b"RCPT TO:<recipient@mail.example>\r\n",
        b"DATA\r\n",
        body + b".\r\n",
    )

    def connect() -> Any:
        connection = factory.buildProtocol(None)
        connection.makeConnection(NullTransport())
        connection.dataReceived(b"EHLO client.example\r\n")
        return connection

    connection = None if fresh else connect()
    began = time.process_time()
    for _ in range(messages):
        if fresh:
            connection = connect()
        for step in steps:
            connection.dataReceived(step)
        assert connection.transport.octets.startswith(b"250 2.0.0 Ok: queued"), connection.transport.octets
        if fresh:
            connection.dataReceived(b"QUIT\r\n")
    return (time.process_time() - began) / messages * 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("messages", type=int, nargs="?", default=5000)
    options.add_argument("--fresh", action="store_true")
    given = options.parse_args()
    best = min(run(given.messages, given.fresh) for _ in range(3))
    print(f"{best:.1f} us a message, the limit is {LIMIT:.0f}")


if __name__ == "__main__":
    main()
