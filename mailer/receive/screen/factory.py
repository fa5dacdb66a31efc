"""The factory of a screening service (postscreen(8)): who passes goes on as a client of the SMTP server behind it."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory

from mailer.net.server import ServerConnection
from mailer.net.sweep import Sweep
from mailer.receive.replies import wire
from mailer.receive.screen.service import Screen
from mailer.receive.screen.session import Screening
from mailer.receive.smtpd import SmtpdFactory, endpoints
from mailer.receive.upstream import UpstreamFailed

__all__ = ["ScreenFactory"]


class ScreenFactory(Factory):
    """:param smtpd: the service that takes mail; it has no listener of its own."""

    noisy = False

    def __init__(self, screen: Screen, smtpd: SmtpdFactory, sweep: Sweep) -> None:
        self.screen = screen
        self.smtpd = smtpd
        self.connections: set[ServerConnection] = set()
        self._sweep = sweep
        # Whose connection it is has been told to the screen; the SMTP server takes its word for it.
        smtpd.service.upstream = None

    def close(self) -> None:
        """Give back what the server behind it holds."""
        self.smtpd.close()

    def buildProtocol(self, addr: Any) -> ServerConnection:
        service = self.smtpd.service
        connection = ServerConnection(
            self._serve, self._sweep, service.timeout, service.line_limit, service.per_request, service.data_rate
        )
        connection.factory = self
        return connection

    async def _serve(self, connection: ServerConnection) -> None:
        client, server = endpoints(connection.transport)
        self.connections.add(connection)
        try:
            if self.screen.upstream is not None:
                header = await self.screen.upstream.header(connection)
                if header.client:
                    client, server = (header.client, header.client_port), (header.server, header.server_port)
            if await Screening(self.screen, connection, client, server).run():
                await self.smtpd.session(connection, client, server)
        except UpstreamFailed as failed:
            self.screen.log.warning(f"haproxy read: {failed}")
            connection.reply(wire(["421 4.3.2 No system resources"]))
        finally:
            self.connections.discard(connection)
