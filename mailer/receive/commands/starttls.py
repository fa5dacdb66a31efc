"""STARTTLS (RFC 3207)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.receive.commands.command import Command
from mailer.receive.encryption import encrypt, too_many_sessions

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Starttls"]


class Starttls(Command):
    name = "STARTTLS"
    plain = True

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        service = session.service
        tls = service.tls
        if argument.strip():
            return session.refuse("501 5.5.4 Syntax: STARTTLS")
        if session.state.tls is not None:
            return session.refuse("554 5.5.1 Error: TLS already active")
        if not tls.offered or "STARTTLS" in session.discarded:
            return session.refuse("502 5.5.1 Error: command not implemented")
        layer = tls.layer(session.printable)
        if layer is None:
            return session.refuse("454 4.7.0 TLS not available due to local problem")
        limited = bool(session.limited)
        if limited and await too_many_sessions(session):
            service.log.warning(f"Refusing STARTTLS request from {session.printable} for service {service.name}")
            return session.refuse(f"454 4.7.0 Error: too many new TLS sessions from {session.printable}")
        session.say(b"220 2.0.0 Ready to start TLS\r\n")
        return await encrypt(session, layer, limited)
