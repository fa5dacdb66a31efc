"""smtpd_sasl_type = dovecot: Dovecot decides (SASL_README; smtpd_sasl_path is its socket, ``inet:host:port`` or a path).

One connection serves all sessions of a service: requests are told apart by their numbers. It is made when it is first needed,
and made anew when it has been lost; what was under way then fails for now, as in Postfix.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.context import Context
from mailer.interfaces.sasl import ISaslServer
from mailer.message.sasl import Login, Mechanism, SaslPeer, SaslRefused
from mailer.message.status import TemporaryError
from mailer.wire.dovecot import (
    BadGreeting,
    Greeting,
    LineReader,
    Said,
    greeting_from_client,
    parse_said,
    request,
    response,
)

__all__ = ["DovecotServer", "build"]

#: Seconds that Dovecot has to greet us, and to answer: it holds failures back for up to 17 s.
_GREETING, _ANSWER = 10.0, 30.0
_LOST = "Connection lost to authentication server"
_NO_REASON = "(reason unavailable)"
_LAST_NUMBER = 0xFFFFFFFF


class _Unreachable(Exception):
    """The text is errno's, or says what is wrong with the greeting."""


class _Connection(Protocol):
    """``ready`` fires with the greeting, or fails with _Unreachable."""

    def __init__(self, ready: Deferred[_Connection], process: int) -> None:
        self._ready: Deferred[_Connection] | None = ready
        self._process = process
        self._lines = LineReader()
        self._waiting: dict[int, Deferred[Said]] = {}
        self._last = 0
        self.greeting = Greeting()
        self.lost = False

    def connectionMade(self) -> None:
        self._write(greeting_from_client(self._process))

    def _write(self, octets: bytes) -> None:
        transport: Any = self.transport
        transport.write(octets)

    def begin(self, mechanism: str, parameters: list[str], initial: str | None) -> tuple[int, Deferred[Said]]:
        self._last = self._last % _LAST_NUMBER + 1
        self._write(request(self._last, mechanism, parameters, initial))
        return self._last, self._expect(self._last)

    def go_on(self, number: int, text: str) -> Deferred[Said]:
        self._write(response(number, text))
        return self._expect(number)

    def _expect(self, number: int) -> Deferred[Said]:
        answer = self._waiting[number] = Deferred()
        return answer

    def forget(self, number: int) -> None:
        self._waiting.pop(number, None)

    def dataReceived(self, data: bytes) -> None:
        try:
            for line in self._lines.feed(data):
                self._take(line)
        except ValueError as error:
            self.give_up(str(error))

    def _take(self, line: str) -> None:
        if self._ready is not None:
            try:
                if self.greeting.take(line):
                    ready, self._ready = self._ready, None
                    ready.callback(self)
            except BadGreeting as error:
                self.give_up(str(error))
            return
        said = parse_said(line)
        if said is not None:
            answer = self._waiting.pop(said.number, None)
            if answer is not None:
                answer.callback(said)

    def give_up(self, reason: str) -> None:
        """Close, and let everybody know who waits."""
        self.lost = True
        ready, self._ready = self._ready, None
        waiting, self._waiting = self._waiting, {}
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()
        if ready is not None:
            ready.errback(_Unreachable(reason))
        for answer in waiting.values():
            answer.errback(_Unreachable(reason))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.give_up(os.strerror(104))


class _Calling(ClientFactory):
    noisy = False

    def __init__(self, process: int) -> None:
        self.ready: Deferred[_Connection] = Deferred()
        self._process = process
        self.protocol_made: _Connection | None = None

    def buildProtocol(self, addr: Any) -> _Connection:
        self.protocol_made = _Connection(self.ready, self._process)
        return self.protocol_made

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        number = getattr(reason.value, "osError", None)
        self.ready.errback(_Unreachable(os.strerror(number if isinstance(number, int) else 110)))


@implementer(ISaslServer)
class DovecotServer:
    """:param where: smtpd_sasl_path. :param random: so many random octets. :raise ConfigError: it is no address."""

    def __init__(self, where: str, context: Context, random: Callable[[int], bytes] = os.urandom) -> None:
        self._where = where
        self._reactor = context.reactor
        self._dns = context.dns
        self._log = context.log
        self._host, self._port = _parse(where)
        if not self._port:
            self._host = os.path.join(context.queue_directory, self._host)
        self._connection: _Connection | None = None
        self._calls: list[Deferred[None]] | None = None  # those who wait for the connection being made
        self._random = random

    async def mechanisms(self) -> tuple[Mechanism, ...]:
        """See ISaslServer."""
        try:
            connection = await self._connected()
        except _Unreachable as error:
            raise TemporaryError("no SASL authentication mechanisms") from error
        return tuple(connection.greeting.mechanisms)

    def unusable(self, mechanism: str) -> SaslRefused:
        """See ISaslServer."""
        return SaslRefused("Invalid authentication mechanism")

    async def authenticate(
        self, mechanism: str, initial: str | None, peer: SaslPeer, ask: Callable[[str], Awaitable[str]]
    ) -> Login:
        """See ISaslServer."""
        try:
            connection = await self._connected()
            number, answer = connection.begin(mechanism, _parameters(peer), initial)
            said = await self._answered(connection, answer)
            while said.verb == "CONT":
                text = await ask(said.challenge)
                if connection.lost:
                    raise _Unreachable(_LOST)
                said = await self._answered(connection, connection.go_on(number, text))
        except _Unreachable as error:
            raise SaslRefused(_LOST, temporary=True) from error
        return _verdict(said)

    async def _answered(self, connection: _Connection, answer: Deferred[Said]) -> Said:
        timer = self._reactor.callLater(_ANSWER, connection.give_up, os.strerror(110))
        try:
            return await answer
        finally:
            if timer.active():
                timer.cancel()

    async def _connected(self) -> _Connection:
        """The connection, made if need be; those who ask meanwhile wait for the same one."""
        while self._calls is not None:
            call: Deferred[None] = Deferred()
            self._calls.append(call)
            await call
        if self._connection is not None and not self._connection.lost:
            return self._connection
        self._calls = []
        try:
            self._connection = await self._connect()
            return self._connection
        except _Unreachable as error:
            self._log.warning(f"SASL: Connect to Dovecot auth socket '{self._where}' failed: {error}")
            raise
        finally:
            calls, self._calls = self._calls, None
            for call in calls:
                call.callback(None)

    async def _connect(self) -> _Connection:
        if not self._port:
            return await self._call(self._host)
        last: _Unreachable | None = None
        for address in await self._addresses():
            try:
                return await self._call(address)
            except _Unreachable as error:
                last = error
        raise last or _Unreachable("Name or service not known")

    async def _addresses(self) -> tuple[str, ...]:
        try:
            answer = await self._dns.addresses(self._host)
        except TemporaryError as error:
            raise _Unreachable("Temporary failure in name resolution") from error
        addresses: tuple[str, ...] = answer.records
        return addresses

    async def _call(self, where: str) -> _Connection:
        # Dovecot wants a process number that nobody else has; a process of ours may have several connections.
        calling = _Calling(int.from_bytes(self._random(4), "big") >> 1)
        if self._port:
            self._reactor.connectTCP(where, self._port, calling, _GREETING)
        else:
            self._reactor.connectUNIX(where, calling, _GREETING)
        timer = self._reactor.callLater(_GREETING, _hurry, calling)
        try:
            return await calling.ready
        finally:
            if timer.active():
                timer.cancel()

    def close(self) -> None:
        """See ISaslServer."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.lost:
            connection.give_up("closed")


def _hurry(calling: _Calling) -> None:
    """No greeting in time. (Before a connection is made the reactor's own limit ends the attempt.)"""
    if calling.protocol_made is not None:
        calling.protocol_made.give_up(os.strerror(110))


def _parse(where: str) -> tuple[str, int]:
    """:return: host and port, or path and 0."""
    if not where.startswith("inet:"):
        return where.removeprefix("unix:"), 0
    host, _, port = where.removeprefix("inet:").rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"smtpd_sasl_path: bad host or port in {where}")
    return host.strip("[]") or "localhost", int(port)


def _parameters(peer: SaslPeer) -> list[str]:
    """What Dovecot is told of the client, in Postfix's order."""
    told = [f"service={peer.service}", "nologin"]
    if peer.server_address:
        told.append(f"lip={peer.server_address}")
    if peer.client_address:
        told.append(f"rip={peer.client_address}")
    if peer.encrypted:
        told.append("secured")
    if peer.certified:
        told.append("valid-client-cert")
    return told


def _verdict(said: Said) -> Login:
    """:raise SaslRefused:"""
    values = said.values
    username = values.get("user", "")
    if said.verb == "OK":
        if not username:
            raise SaslRefused("Authentication backend error", temporary=True)
        return Login(username)
    raise SaslRefused(values.get("reason") or _NO_REASON, username, temporary="temp" in values)


def build(argument: str, context: Context) -> DovecotServer:
    """The plug-in's factory, see ISaslServerFactory."""
    return DovecotServer(argument, context)
