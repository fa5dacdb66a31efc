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

__all__ = ["STRESS_SECONDS", "SmtpdFactory", "endpoints"]

#: How long stress lasts after the last client too many.
STRESS_SECONDS = 1000.0


class SmtpdFactory(Factory):
    """One SMTP service of master.cf.

    ``sessions`` counts those under way, also of clients that others hand on. Parameters are those of Service; ``sweep`` is
    shared by the listeners of a process.

    :param limit: how many sessions this service should have at most (its process limit in Postfix), 0: any number. More are
        served all the same, but they and all that come within the next ``STRESS_SECONDS`` find limits as under stress.
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
        limit: int = 0,
    ) -> None:
        self.service = Service(context, access, addressing, sink, anvil, flush)
        self.connections: set[ServerConnection] = set()
        self._sweep = sweep or Sweep(context.reactor)
        self._limit = limit
        self._stressed: Service | None = None
        self._stressed_until = float("-inf")

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
        await self.session(connection, client, server)

    async def session(self, connection: ServerConnection, client: tuple[str, str], server: tuple[str, str]) -> None:
        """The whole session of a client on a connection of anybody's. ``client`` and ``server`` are address and port."""
        service = self._current() if self._limit else self.service
        self.connections.add(connection)
        connection.timeout, connection.per_request = service.timeout, service.per_request
        connection.data_rate = service.data_rate
        peer = Client(address=client[0], port=client[1], protocol="SMTP")
        try:
            await SmtpSession(service, connection, peer, server).run()
        finally:
            self.connections.discard(connection)

    def _current(self) -> Service:
        """The service as the next client is to meet it (STRESS_README, master(8))."""
        now = self._sweep.seconds()
        if len(self.connections) >= self._limit:
            if now >= self._stressed_until:
                service = self.service
                service.log.warning(
                    f'service "{service.name}" has reached its process limit "{self._limit}": stress=yes for new clients'
                )
                self._stressed = service.under_stress()
            self._stressed_until = now + STRESS_SECONDS
        if self._stressed is None or now >= self._stressed_until:
            return self.service
        return self._stressed


def endpoints(transport: Any) -> tuple[tuple[str, str], tuple[str, str]]:
    """Address and port of both ends of a connection; those of a UNIX socket are this machine's."""
    client, server = (
        (plain_address(getattr(end, "host", None) or "127.0.0.1"), str(getattr(end, "port", "0")))
        for end in (transport.getPeer(), transport.getHost())
    )
    return client, server
