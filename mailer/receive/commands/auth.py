"""AUTH (RFC 4954): when it may be given. The exchange itself is in ``mailer.receive.authentication``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.receive import lines
from mailer.receive.authentication import authenticate
from mailer.receive.commands.command import Command

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Auth"]


class Auth(Command):
    name = "AUTH"

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        service = session.service
        if service.helo_required and not session.client.helo:
            return session.refuse("503 5.5.1 Error: send HELO/EHLO first")
        sasl = session.sasl
        if sasl is None or "AUTH" in session.discarded:
            return session.refuse("503 5.5.1 Error: authentication not enabled")
        if session.limited and service.auth_rate_limit and not await self._rate_allowed(session):
            return False
        if session.transaction is not None or session.chunking:
            return session.refuse("503 5.5.1 Error: MAIL transaction in progress")
        if session.client.sasl_username:
            return session.refuse("503 5.5.1 Error: already authenticated")
        words = argument.split()
        if not 1 <= len(words) <= 2:
            return session.refuse("501 5.5.4 Syntax: AUTH mechanism")
        return await authenticate(session, sasl, words[0], words[1] if len(words) == 2 else None)

    async def _rate_allowed(self, session: SmtpSession) -> bool:
        service, address = session.service, session.client.address
        count = await service.anvil.auth(service.name, address)
        if count <= service.auth_rate_limit:
            return True
        session.refuse(f"450 4.7.1 Error: too many AUTH commands from {address}")
        service.log.warning(lines.over_limit("AUTH command rate", count, session.printable, service.name))
        return False
