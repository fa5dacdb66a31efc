"""RSET (RFC 5321 4.1.1.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.receive.commands.command import Command
from mailer.receive.replies import OK

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Rset"]


class Rset(Command):
    name = "RSET"
    junk = True

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        if argument.strip():
            return session.refuse("501 5.5.4 Syntax: RSET")
        session.reset()
        session.say(OK)
        return True
