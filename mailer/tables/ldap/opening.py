"""Opening a connection for use: address, TCP or UNIX socket, TLS, bind (RFC 4511 4.2, 4.14)."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from mailer.message.status import MailError
from mailer.tables.ldap.access import Access
from mailer.tables.ldap.codes import SASL_IN_PROGRESS, SUCCESS, describe
from mailer.tables.ldap.connection import Connection, ConnectionGone
from mailer.tables.ldap.filters import PRESENT
from mailer.tables.ldap.messages import START_TLS, Result, Search, bind_sasl, bind_simple
from mailer.tables.ldap.sasl import MECHANISMS, Credentials, SaslFailed, choose
from mailer.tables.ldap.tls import client_options
from mailer.tables.ldap.urls import Location
from mailer.tables.ranking import ServerAway

__all__ = ["open_connection"]

_MECHANISMS_OF_SERVER = Search("", 0, PRESENT, ("supportedSASLMechanisms",)).encoded()


async def open_connection(
    location: Location, access: Access, context: Any, lost: Callable[[Connection], None]
) -> Connection:
    """A connection that is ready for searches; the caller limits the time.

    :param lost: told when it is over. :raise ServerAway: there is none.
    """
    connection = await _connect(location, access, context, lost)
    try:
        await _protect(connection, location, access)
        await _bind(connection, location, access)
    except BaseException as error:
        connection.abort("not opened")
        if isinstance(error, ConnectionGone):
            raise ServerAway(str(error)) from None
        raise
    return connection


class _Call(ClientFactory):
    noisy = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.made: Deferred[None] = Deferred(lambda _: self.connector.disconnect())
        self.connector: Any = None

    def buildProtocol(self, addr: Any) -> Connection:
        return self._connection

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        if not self.made.called:
            number = getattr(reason.value, "osError", None)
            text = os.strerror(number) if isinstance(number, int) else str(reason.value).rstrip(".")
            self.made.errback(ServerAway(text or "connection failed"))


class _Announced(Connection):
    """Tells when it is made."""

    made: Deferred[None]

    def connectionMade(self) -> None:
        super().connectionMade()
        self.made.callback(None)


async def _connect(location: Location, access: Access, context: Any, lost: Callable[[Connection], None]) -> Connection:
    problem = ServerAway("no address")
    for address in await _addresses(location, context):
        connection = _Announced(context.reactor, access.stall, lost)
        call = _Call(connection)
        connection.made = call.made
        if location.scheme == "ldapi":
            call.connector = context.reactor.connectUNIX(address, call, access.connect)
        else:
            call.connector = context.reactor.connectTCP(address, location.port, call, access.connect)
        try:
            await call.made
        except ServerAway as error:
            problem = error
        else:
            return connection
    raise problem


async def _addresses(location: Location, context: Any) -> tuple[str, ...]:
    host = location.host
    if location.scheme == "ldapi" or _is_address(host):
        return (host,)
    if context.dns is not None:
        try:
            answer = await context.dns.addresses(host)
        except MailError as error:
            raise ServerAway(f"{host}: {error.cause or 'name lookup failed'}") from None
        found = tuple(answer.records)
    else:
        found = await _system_addresses(host, context.reactor)
    if not found:
        raise ServerAway(f"{host}: Host not found")
    return found


async def _system_addresses(host: str, reactor: Any) -> tuple[str, ...]:
    """Where no resolver of our own is at hand (commands)."""

    def ask() -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(item[4][0]) for item in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)))

    pool = getattr(reactor, "getThreadPool", None)
    try:
        return await deferToThreadPool(reactor, pool(), ask) if pool is not None else ask()
    except OSError as error:
        raise ServerAway(f"{host}: {error.strerror}") from None


def _is_address(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host.partition("%")[0])
    except (OSError, ValueError):
        return False
    return True


async def _protect(connection: Connection, location: Location, access: Access) -> None:
    if location.scheme == "ldaps":
        connection.start_tls(client_options(access.tls, location.host))
    elif access.tls.start:
        result = (await connection.ask(START_TLS)).result
        if result.code != SUCCESS:
            raise ServerAway(f"Unable to set STARTTLS: {result.code}: {describe(result.code)} {result.text}".rstrip())
        connection.start_tls(client_options(access.tls, location.host))


async def _bind(connection: Connection, location: Location, access: Access) -> None:
    if access.bind == "none":
        return
    if access.bind == "sasl":
        result = await _sasl(connection, location, access)
    else:
        password = access.password.encode("utf-8", "surrogateescape")
        result = (await connection.ask(bind_simple(access.version, access.dn, password))).result
    if result.code != SUCCESS:
        raise _refused(access, f"{result.code} ({describe(result.code)}) {result.text}".rstrip())


def _refused(access: Access, why: str) -> ServerAway:
    return ServerAway(f"Unable to bind with dn {access.dn or 'empty or implicit'}: {why}")


async def _sasl(connection: Connection, location: Location, access: Access) -> Result:
    sasl = access.sasl
    protected = location.scheme != "ldap" or access.tls.start
    if sasl.strength > (256 if protected else 0):
        raise _refused(access, f"sasl_minssf = {sasl.strength} wants more protection than this connection has")
    credentials = Credentials(
        access.dn, access.password, sasl.authorization, sasl.realm, location.host, lambda: secrets.token_urlsafe(24)
    )
    try:
        offered = () if sasl.mechanisms else await _offered(connection)
        mechanism = choose(sasl.mechanisms, offered, credentials)
        exchange = MECHANISMS[mechanism](credentials)
        said = next(exchange)
        while True:
            result = (await connection.ask(bind_sasl(access.version, "", mechanism, said))).result
            if result.code == SASL_IN_PROGRESS:
                said = exchange.send(result.credentials or b"")
                continue
            if result.code == SUCCESS and result.credentials is not None:
                exchange.send(result.credentials)  # the server proves itself, or SaslFailed
            return result
    except StopIteration:
        raise _refused(access, f"{mechanism}: the server wants more than the mechanism has") from None
    except SaslFailed as error:
        raise _refused(access, str(error)) from None


async def _offered(connection: Connection) -> tuple[str, ...]:
    reply = await connection.ask(_MECHANISMS_OF_SERVER)
    return tuple(value for entry in reply.entries for _, values in entry.attributes for value in values)
