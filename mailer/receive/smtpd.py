"""The SMTP service (smtpd(8)): the factory that a listening port is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.protocol import Factory

from mailer.interfaces.context import Context
from mailer.message.envelope import Client
from mailer.net.server import ServerConnection
from mailer.net.sweep import Sweep
from mailer.receive.anvil import Anvil
from mailer.receive.peername import plain_address
from mailer.receive.service import Service
from mailer.receive.session import SmtpSession

__all__ = ["SmtpdFactory", "endpoints"]


class SmtpdFactory(Factory):
    """One SMTP service of master.cf.

    ``sessions`` counts those under way. Parameters are those of Service; ``sweep`` is shared by the listeners of a process.
    """

    noisy = False

    def __init__(
        self,
        context: Context,
        access: Any,
        addressing: Any,
        sink: Any,
        anvil: Anvil | None = None,
        flush: Callable[[str], Awaitable[None]] | None = None,
        sweep: Sweep | None = None,
    ) -> None:
        self.service = Service(context, access, addressing, sink, anvil, flush)
        self.connections: set[ServerConnection] = set()
        self._sweep = sweep or Sweep(context.reactor)

    @property
    def sessions(self) -> int:
        return len(self.connections)

    def close(self) -> None:
        """The configuration is no longer in force and no session is left."""
        self.service.close()

    def buildProtocol(self, addr: Any) -> ServerConnection:
        service = self.service
        connection = ServerConnection(
            self._serve, self._sweep, service.timeout, service.line_limit, service.per_request, service.data_rate
        )
        connection.factory = self
        return connection

    async def _serve(self, connection: ServerConnection) -> None:
        client, server = endpoints(connection.transport)
        self.connections.add(connection)
        try:
            await self.session(connection, client, server)
        finally:
            self.connections.discard(connection)

    async def session(self, connection: ServerConnection, client: tuple[str, str], server: tuple[str, str]) -> None:
        """The whole session of a client on a connection of anybody's. ``client`` and ``server`` are address and port."""
        await SmtpSession(
            self.service, connection, Client(address=client[0], port=client[1], protocol="SMTP"), server
        ).run()


def endpoints(transport: Any) -> tuple[tuple[str, str], tuple[str, str]]:
    """Address and port of both ends of a connection; those of a UNIX socket are this machine's."""
    client, server = (
        (plain_address(getattr(end, "host", None) or "127.0.0.1"), str(getattr(end, "port", "0")))
        for end in (transport.getPeer(), transport.getHost())
    )
    return client, server
