"""AUTH (RFC 4954), as far as a server without authentication has to answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.receive.commands.command import Command

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Auth"]


class Auth(Command):
    name = "AUTH"

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        if session.service.helo_required and not session.client.helo:
            return session.refuse("503 5.5.1 Error: send HELO/EHLO first")
        return session.refuse("503 5.5.1 Error: authentication not enabled")
