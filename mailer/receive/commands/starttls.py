"""STARTTLS (RFC 3207), as far as a server without TLS has to answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.receive.commands.command import Command

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Starttls"]


class Starttls(Command):
    name = "STARTTLS"
    ends_group = True

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        if argument.strip():
            return session.refuse("501 5.5.4 Syntax: STARTTLS")
        return session.refuse("502 5.5.1 Error: command not implemented")
