"""QUIT (RFC 5321 4.1.1.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.receive.commands.command import Command

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Quit"]


class Quit(Command):
    name = "QUIT"
    plain = True

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        session.say(b"221 2.0.0 Bye\r\n")
        session.closing = True
        return True
