"""NOOP (RFC 5321 4.1.1.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.receive.commands.command import Command
from mailer.receive.replies import OK

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Noop"]


class Noop(Command):
    name = "NOOP"
    plain = True
    junk = True
    ends_group = True

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        session.say(OK)
        return True
