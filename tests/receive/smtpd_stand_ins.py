"""What the SMTP server needs around it in a test: settings, lists, access checks, a sink, and a client in memory."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from typing import Any

from twisted.internet import task
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from mailer.access.service import Access
from mailer.addressing.service import Addressing
from mailer.config.maincf import Entry
from mailer.config.settings import Settings
from mailer.interfaces.access import IAccess
from mailer.interfaces.context import Context
from mailer.interfaces.sink import IMessageSink, IMessageWriter
from mailer.message.status import Reply
from mailer.receive.smtpd import SmtpdFactory
from mailer.tables.match import AddressList, matches_subdomains
from mailer.tables.opening import Tables, table_types
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog

_TYPES = table_types()
NOW = 1_700_000_000.25


class Networks:
    """Addresses and CIDR blocks."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._networks = [ipaddress.ip_network(re.sub(r"[][]", "", pattern), strict=False) for pattern in patterns]

    async def matches(self, name: str, address: str) -> bool:
        return any(ipaddress.ip_address(address) in network for network in self._networks)


def _denied(what: str, kind: str, code: int = 554, enhanced: str = "5.7.1", text: str = "Access denied") -> Reply:
    return Reply(code, enhanced, f"<{what}>: {kind} rejected: {text}")


@implementer(IAccess)
class ListAccess:
    """``reject``, ``check_x_access static:{CODE text}`` and relaying from mynetworks, told at RCPT or at once."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._delayed = settings.smtpd_delay_reject
        self._networks = Networks(settings.mynetworks)

    def _verdict(self, restrictions: tuple[str, ...], what: str, kind: str) -> Reply | None:
        words = iter(restrictions)
        for word in words:
            if word == "reject":
                return _denied(what, kind)
            if word.startswith("check_"):
                table = next(words)
                if table.startswith("inline:"):
                    if f"{what}=reject" in table:
                        return _denied(what, kind)
                    continue
                code, enhanced, text = table.removeprefix("static:").strip("{}").split(" ", 2)
                return _denied(what, kind, int(code), enhanced, text)
        return None

    def _connect(self, session: Any) -> Reply | None:
        return self._verdict(self._settings.smtpd_client_restrictions, session.client.printable, "Client host")

    def _helo(self, session: Any) -> Reply | None:
        return self._verdict(self._settings.smtpd_helo_restrictions, session.client.helo, "Helo command")

    def _mail(self, session: Any) -> Reply | None:
        return self._verdict(self._settings.smtpd_sender_restrictions, session.envelope.sender, "Sender address")

    async def connect(self, session: Any) -> Reply | None:
        return None if self._delayed else self._connect(session)

    async def helo(self, session: Any) -> Reply | None:
        return None if self._delayed else self._helo(session)

    async def etrn(self, session: Any, domain: str) -> Reply | None:
        return self._verdict(self._settings.smtpd_etrn_restrictions, domain, "Etrn command")

    async def mail(self, session: Any) -> Reply | None:
        return None if self._delayed else self._mail(session)

    async def rcpt(self, session: Any) -> Reply | None:
        if self._delayed:
            reply = self._connect(session) or self._helo(session) or self._mail(session)
            if reply:
                return reply
        domain = session.recipient.rpartition("@")[2]
        trusted = await self._networks.matches("", session.client.address)
        if not trusted and domain not in self._settings.mydestination and "@" in session.recipient:
            return Reply(554, "5.7.1", f"<{session.recipient}>: Relay access denied")
        return self._verdict(self._settings.smtpd_recipient_restrictions, session.recipient, "Recipient address")

    async def data(self, session: Any) -> Reply | None:
        return self._verdict(self._settings.smtpd_data_restrictions, "DATA", "Data command")

    async def end_of_data(self, session: Any) -> Reply | None:
        return self._verdict(self._settings.smtpd_end_of_data_restrictions, "END-OF-MESSAGE", "End-of-data")


def real_access(context: Context, record: Any = None, plugins: Any = None) -> Access:
    """The access checks that ship."""
    settings = context.settings
    networks = AddressList(settings.mynetworks, context, "mynetworks", matches_subdomains(settings, "mynetworks"))
    return Access(context, Addressing(context), networks, record, plugins=plugins)


@implementer(IMessageWriter)
class MemoryWriter:
    def __init__(self, sink: MemorySink, envelope: Any, producer: Any, queue_id: str) -> None:
        self.sink, self.envelope, self.producer, self.queue_id = sink, envelope, producer, queue_id
        self.recipients: list[Any] = []
        self.content = b""
        self.chunks = 0
        self.state = "open"

    def recipient(self, recipient: Any) -> None:
        assert self.state == "open"
        self.recipients.append(recipient)

    def write(self, chunk: bytes) -> None:
        assert self.state == "open" and chunk
        self.content += chunk
        self.chunks += 1

    async def commit(self) -> str:
        assert self.state == "open"
        if self.sink.gate is not None:
            await self.sink.gate
        if self.sink.failure is not None:
            self.state = "failed"
            raise self.sink.failure
        self.state = "committed"
        self.sink.messages.append(self)
        return self.queue_id

    def abort(self) -> None:
        if self.state == "open":
            self.state = "aborted"


@implementer(IMessageSink)
class MemorySink:
    """Keeps what it is given. ``refusal`` is raised by open, ``failure`` by commit; ``gate`` is awaited before that."""

    def __init__(self) -> None:
        self.writers: list[MemoryWriter] = []
        self.messages: list[MemoryWriter] = []
        self.refusal: Exception | None = None
        self.failure: Exception | None = None
        self.gate: Any = None

    def open(self, envelope: Any, producer: Any = None) -> MemoryWriter:
        if self.refusal is not None:
            raise self.refusal
        writer = MemoryWriter(self, envelope, producer, f"{len(self.writers) + 1:010X}")
        self.writers.append(writer)
        return writer


class Server:
    """An SMTP service in memory. ``settings`` are main.cf lines as a dict."""

    def __init__(self, settings: dict[str, str] | None = None, resolver: Any = None, **more: Any) -> None:
        given = {
            "compatibility_level": "3.6",
            "myhostname": "mail.example",
            "smtpd_error_sleep_time": "0",
            **(settings or {}),
        }
        self.settings = Settings({name: Entry(name, value) for name, value in given.items()})
        self.clock: Any = more.pop("clock", None) or task.Clock()
        self.log = RecordingLog()
        self.sink = MemorySink()
        self.flushed: list[str] = []
        zone = {"127.0.0.1": {"PTR": ["localhost"]}, "localhost": {"A": ["127.0.0.1"], "AAAA": ["::1"]}}
        self.context = Context(
            settings=self.settings,
            reactor=self.clock,
            seconds=lambda: NOW + self.clock.seconds(),
            log=self.log,
            name="smtp",
            dns=resolver or FakeResolver(zone),
        )
        self.context = replace(self.context, tables=more.pop("tables", None) or Tables(self.context, types=_TYPES))
        self.access = more.pop("access", None) or ListAccess(self.settings)
        self.factory = SmtpdFactory(self.context, self.access, None, self.sink, flush=self._flush, **more)

    async def _flush(self, domain: str) -> None:
        self.flushed.append(domain)

    def connect(self, address: str = "127.0.0.1", port: int = 40000) -> Peer:
        return Peer(self, address, port)


class Transport(StringTransport):
    """As StringTransport; ``received`` takes what was written and not yet looked at."""

    def received(self) -> bytes:
        octets = self.value()
        self.clear()
        return octets

    def loseConnection(self) -> None:
        self.disconnecting = True


class Peer:
    """A client: ``say`` gives the server octets and returns its replies so far."""

    def __init__(self, server: Server, address: str, port: int) -> None:
        peer = IPv4Address("TCP", address, port)
        self.transport = Transport(hostAddress=IPv4Address("TCP", "127.0.0.1", 25), peerAddress=peer)
        self.protocol = server.factory.buildProtocol(peer)
        self.protocol.makeConnection(self.transport)

    @property
    def closed(self) -> bool:
        return self.transport.disconnecting

    def say(self, octets: bytes, piece: int = 0) -> bytes:
        size = piece or len(octets) or 1
        for start in range(0, len(octets), size):
            if self.transport.disconnecting:
                break
            self.protocol.dataReceived(octets[start : start + size])
        return self.transport.received()

    def replies(self, octets: bytes = b"", piece: int = 0) -> list[str]:
        return self.say(octets, piece).decode("utf-8", "surrogateescape").split("\r\n")[:-1]

    def leave(self) -> None:
        from twisted.internet.error import ConnectionDone
        from twisted.python.failure import Failure

        self.protocol.connectionLost(Failure(ConnectionDone()))
