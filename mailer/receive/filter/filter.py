"""Where the before-queue filter is, and how one speaks with it until the first RCPT (SMTPD_PROXY_README, XFORWARD_README)."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from mailer.config.errors import ConfigError
from mailer.message.address import encode
from mailer.message.status import TemporaryError
from mailer.receive.filter.connection import FilterConnection, FilterLost, connect
from mailer.wire.smtp.replies import PeerReply

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["BeforeQueueFilter", "UNWRITABLE", "FilterRefused"]

#: What the client hears when the filter is not to be had.
UNWRITABLE = "451 4.3.0 Error: queue file write error"
_OPTIONS = ("speed_adjust",)
_KEYS = ("NAME", "ADDR", "PORT", "HELO", "IDENT", "PROTO", "SOURCE")
_XTEXT = re.compile(rb"[^!-*,-<>-~]").sub
_LONGEST = 510


class FilterRefused(Exception):
    """``lines`` are the reply for the client, each with its codes."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(lines[0])
        self.lines = lines


class BeforeQueueFilter:
    """The filter of one service. ``delayed``: it is asked when all of the message is there (``speed_adjust``).

    :raise ConfigError: there can be no such place.
    """

    def __init__(self, context: Any) -> None:
        settings = context.settings
        self.name: str = settings.smtpd_proxy_filter
        self.timeout: float = settings.smtpd_proxy_timeout
        self.delayed = "speed_adjust" in settings.smtpd_proxy_options
        unknown = [word for word in settings.smtpd_proxy_options if word not in _OPTIONS]
        if unknown:
            raise ConfigError(f"smtpd_proxy_options: unknown option {', '.join(unknown)}")
        self._ehlo: str = settings.smtpd_proxy_ehlo
        self._log = context.log
        self._dns = context.dns
        self._reactor = context.reactor
        self._place = _place(self.name, settings.queue_directory)

    async def open(self, session: SmtpSession, mail: str) -> FilterConnection:
        """Connect, greet, tell of the client, say MAIL. :raise FilterRefused: it failed."""
        connection = await self._connect()
        try:
            reply = await self._greet(connection)
            for command in _xforward(session, _offered(reply)):
                await self.exchange(connection, command, 2)
            await self.exchange(connection, mail, 2)
        except FilterRefused:
            connection.close()
            raise
        return connection

    async def exchange(self, connection: FilterConnection, line: str, wanted: int, shown: str = "") -> PeerReply:
        """Say a line. :param wanted: the first digit of a good reply. :raise FilterRefused: it is another one."""
        try:
            reply = await connection.ask(encode(line + "\r\n") if line else b"")
        except FilterLost as lost:
            what = "timeout talking to" if lost.timeout else "lost connection with"
            self._log.warning(f"{what} proxy {self.name}")
            raise FilterRefused([UNWRITABLE]) from lost
        if reply.code // 100 == wanted:
            return reply
        text = reply.text.replace("\n", "??")
        self._log.warning(f'proxy {self.name} rejected "{shown or line}": "{text}"')
        # A yes where none is due must not reach the client.
        raise FilterRefused(reply.text.split("\n") if reply.code // 100 in (4, 5) else [UNWRITABLE])

    async def _greet(self, connection: FilterConnection) -> PeerReply:
        """The greeting; EHLO, or HELO for those that know no better. Who refuses these does not refuse the message."""
        try:
            await self.exchange(connection, "", 2, "connection request")
            try:
                return await self.exchange(connection, f"EHLO {self._ehlo}", 2)
            except FilterRefused:
                return await self.exchange(connection, f"HELO {self._ehlo}", 2)
        except FilterRefused as refused:
            raise FilterRefused([UNWRITABLE]) from refused

    async def _connect(self) -> FilterConnection:
        host, port = self._place
        try:
            last = FilterLost("Name or service not known")
            for address in await self._addresses(host) if port else (host,):
                try:
                    return await connect(self._reactor, address, port, self.timeout)
                except FilterLost as lost:
                    last = lost
            raise last
        except FilterLost as lost:
            self._log.warning(f"connect to proxy filter {self.name}: {lost}")
            raise FilterRefused([UNWRITABLE]) from lost

    async def _addresses(self, host: str) -> tuple[str, ...]:
        try:
            records: tuple[str, ...] = (await self._dns.addresses(host)).records
        except TemporaryError as error:
            raise FilterLost("Temporary failure in name resolution") from error
        return records


def _place(name: str, directory: str) -> tuple[str, int]:
    """``host, port``, or ``path, 0``."""
    kind, _, rest = name.partition(":")
    if kind == "unix":
        return os.path.join(directory, rest), 0
    host, colon, port = (rest if kind == "inet" else name).rpartition(":")
    host = host.strip("[]") if colon else "localhost"
    if not host:
        host = "127.0.0.1"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"smtpd_proxy_filter: {name}: need host:port", "for example 127.0.0.1:10025")
    return host, int(port)


def _offered(reply: PeerReply) -> frozenset[str]:
    """The attributes that the filter's EHLO reply says it takes with XFORWARD."""
    for line in reply.text.split("\n"):
        words = line[4:].upper().split()
        if words and words[0] == "XFORWARD":
            return frozenset(words[1:])
    return frozenset()


def _xforward(session: SmtpSession, offered: frozenset[str]) -> list[str]:
    """The XFORWARD commands that tell of the client, or of the one that XFORWARD told us of."""
    if session.forwarded:
        values = dict(session.forwarded)
    else:
        client = session.client
        values = {
            "NAME": "" if client.name == "unknown" else client.name,
            "ADDR": client.address,
            "PORT": client.port,
            "HELO": client.helo,
            "PROTO": session.protocol,
            "SOURCE": "LOCAL" if session.context == "local" else "REMOTE",
        }
    if ":" in values.get("ADDR", "") and not values["ADDR"].upper().startswith("IPV6:"):
        values["ADDR"] = "IPV6:" + values["ADDR"]
    commands: list[str] = []
    line = "XFORWARD"
    for key in _KEYS:
        if key not in offered:
            continue
        value = values.get(key, "")
        shown = _XTEXT(lambda match: b"+%02X" % match.group()[0], encode(value)).decode("ascii")
        word = f" {key}={shown or '[UNAVAILABLE]'}"
        if len(line) + len(word) > _LONGEST:
            commands.append(line)
            line = "XFORWARD"
        line += word
    return [*commands, line] if line != "XFORWARD" else commands
