"""The beginning and the end of a session: who the client is, whether it may have one more connection, the banner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.receive import lines
from mailer.receive.authentication import activate
from mailer.receive.encryption import wrap
from mailer.receive.membership import listed
from mailer.receive.upstream import introduced

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["admit", "farewell", "greet", "listed"]


async def greet(session: SmtpSession) -> bool:
    """:return: whether there will be a session."""
    service = session.service
    if service.upstream is not None and not await introduced(session, service.upstream):
        return False
    client = session.client
    found = await service.peers.look_up(client.address)
    if found.warning:
        service.log.warning(found.warning)
    session.state.client_status = found.status
    session.state.reverse_status = found.reverse_status
    if found.name != client.name or found.reverse_name != client.reverse_name:
        client.name, client.reverse_name = found.name, found.reverse_name
        session.set_client(client)
    service.log.info(lines.connect(session.printable))
    session.forwards = service.has_xforward_hosts and await listed(session, service.xforward_hosts)
    counted = service.counts_clients and not await listed(session, service.limit_exceptions)
    if service.tls.wrapper and not await wrap(session, counted):
        return False
    if service.sasl is not None and session.sasl is None:
        await activate(session)
    if counted and not await _within_limits(session):
        return False
    return await admit(session)


async def admit(session: SmtpSession) -> bool:
    """What depends on the client's name and address, then the banner, or the refusal (also after XCLIENT)."""
    service = session.service
    session.bare_newline = service.bare_newline
    if service.bare_newline != "no" and await listed(session, service.bare_newline_exclusions):
        session.bare_newline = "no"
    session.denied = await session.check(service.access.connect(session.state))
    if session.denied is not None:
        session.reject(session.denied)
        return not session.closing
    session.say(f"220 {service.banner}\r\n".encode("utf-8", "surrogateescape"))
    return True


async def _within_limits(session: SmtpSession) -> bool:
    service, client = session.service, session.client
    session.limited = client.address
    count, rate = await service.anvil.connect(
        service.name, client.address, 0 if service.connection_rate_limit else service.connection_count_limit
    )
    for what, actual, limit in (
        ("Connection concurrency", count, service.connection_count_limit),
        ("Connection rate", rate, service.connection_rate_limit),
    ):
        if limit and actual > limit:
            session.refuse(f"421 4.7.0 {service.hostname} Error: too many connections from {client.address}")
            service.log.warning(lines.over_limit(what, actual, session.printable, service.name))
            return False
    return True


async def farewell(session: SmtpSession) -> None:
    if session.limited:
        await session.service.anvil.disconnect(session.service.name, session.limited)
