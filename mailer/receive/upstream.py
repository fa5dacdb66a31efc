"""The load balancer in front of the SMTP server, which says whose connection it brings (smtpd_upstream_proxy_protocol).

Nothing else is said to anybody before it has; a connection that begins with anything but its header ends at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailer.net.server import Lost, ServerConnection, TimedOut
from mailer.receive import lines
from mailer.wire.haproxy import LONGEST, HeaderError, ProxyHeader, complaint, parse

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Upstream", "UpstreamFailed", "introduced"]


class UpstreamFailed(Exception):
    """There is no header; the text is for the log."""


class Upstream:
    """:param seconds: the load balancer's time for its header. :param families: those of inet_protocols.
    :param overdue: how the log calls it that nothing came in time."""

    def __init__(self, seconds: float, families: tuple[str, ...], overdue: str = "timeout error") -> None:
        self._seconds = seconds
        self._overdue = overdue
        names = {name.lower() for name in families}
        self._families = frozenset(("ipv4", "ipv6") if "all" in names else names)

    async def header(self, connection: ServerConnection) -> ProxyHeader:
        """:raise UpstreamFailed:"""
        header = ProxyHeader()

        def length(octets: bytes) -> int:
            nonlocal header
            found = parse(octets, self._families)
            if found is None:
                return 0
            header = found[0]
            return found[1]

        try:
            await connection.preface(length, LONGEST, self._seconds)
        except HeaderError as error:
            raise UpstreamFailed(_told(str(error), connection)) from None
        except (Lost, TimedOut) as end:
            octets = connection.machine.peek(LONGEST)
            nothing = "EOF" if isinstance(end, Lost) else self._overdue
            raise UpstreamFailed(_told(complaint(octets), connection) if octets else nothing) from None
        return header


def _told(why: str, connection: ServerConnection) -> str:
    return f"{why}: {lines.escaped(connection.machine.peek(LONGEST))}"


async def introduced(session: SmtpSession, upstream: Upstream) -> bool:
    """Learn who the session's client is. :return: False if that cannot be told, which ends the session."""
    service = session.service
    try:
        header = await upstream.header(session.connection)
    except UpstreamFailed as failed:
        service.log.warning(f"haproxy read: {failed}")
        service.log.info(lines.connect(session.printable))
        return session.refuse(f"421 4.3.0 {service.hostname} Server local error")
    if header.client:
        session.state.server_address, session.state.server_port = header.server, header.server_port
        session.set_client(replace(session.client, address=header.client, port=header.client_port))
    return True
