"""XFORWARD: a content filter passes on who the client in front of it was, for the log (Postfix's XFORWARD_README)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.receive.commands.attributes import TEMPORARY, UNAVAILABLE, BadAttribute, read_attributes, refusal_first
from mailer.receive.commands.command import Command
from mailer.receive.replies import OK

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Xforward"]

_KNOWN = frozenset(("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"))


class Xforward(Command):
    name = "XFORWARD"
    ends_group = True

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        refusal = refusal_first(session, self.name, argument, session.forwards)
        if refusal:
            return session.refuse(refusal)
        try:
            attributes = read_attributes(self.name, argument, _KNOWN, session.service.ipv6)
        except BadAttribute as error:
            return session.refuse(error.args[0])
        known = dict(session.forwarded or {})
        known.update((name, "" if value in (UNAVAILABLE, TEMPORARY) else value) for name, value in attributes)
        session.forwarded = known
        session.say(OK)
        return True
