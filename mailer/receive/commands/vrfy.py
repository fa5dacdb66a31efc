"""VRFY (RFC 5321 4.1.1.6, RFC 6531 3.7.4.2): says whether the address would do as a recipient, never whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.message.envelope import Envelope
from mailer.receive import lines
from mailer.receive.commands.command import Command
from mailer.wire.smtp.path import PathError, parse_path

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Vrfy"]


class Vrfy(Command):
    name = "VRFY"
    junk = True
    ends_group = True

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        service = session.service
        if service.vrfy_disabled:
            return session.refuse("502 5.5.1 VRFY command is disabled")
        words = argument.split()
        utf8 = False
        if service.smtputf8 and words and words[-1].upper() == "SMTPUTF8":
            words.pop()
            utf8 = True
        if not words:
            return session.refuse(f"501 5.5.4 Syntax: VRFY address{' [SMTPUTF8]' if service.smtputf8 else ''}")
        text = " ".join(words)
        try:
            address = parse_path(text, False, service.numeric_domains, utf8)
        except PathError:
            address = ""
        if not address:
            service.log.warning(lines.bad_address(session.printable, "VRFY", text))
            return session.refuse("501 5.1.3 Bad recipient address syntax")
        if service.strict_smtputf8 and not utf8 and not address.isascii():
            return session.refuse("553 5.6.7 Must declare SMTPUTF8 to send unicode address")
        return await self._check(session, address, text)

    async def _check(self, session: SmtpSession, address: str, text: str) -> bool:
        state = session.state
        outside = state.envelope is None
        if outside:
            state.envelope = Envelope(client=session.client)
        state.protocol_state, state.recipient = "VRFY", address
        reply = await session.check(session.service.access.rcpt(state))
        if reply is not None:
            session.reject(reply)
        else:
            session.say(f"252 2.0.0 {text}\r\n".encode("utf-8", "surrogateescape"))
        state.recipient = session.transaction.sole if session.transaction is not None else ""
        if outside:
            state.envelope = None
        return reply is None
