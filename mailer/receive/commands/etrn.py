"""ETRN (RFC 1985): what waits for a domain is tried now. Domains: fast_flush_domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.message.status import MailError
from mailer.receive import lines
from mailer.receive.commands.command import Command
from mailer.wire.smtp.path import valid_hostname, valid_literal

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Etrn"]


class Etrn(Command):
    name = "ETRN"
    junk = True

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        if session.service.helo_required and not session.client.helo:
            return session.refuse("503 Error: send HELO/EHLO first")
        if session.transaction is not None:
            return session.refuse("503 Error: MAIL transaction in progress")
        words = argument.split()
        if len(words) != 1:
            return session.refuse("500 Syntax: ETRN domain")
        domain = words[0][1:] if words[0][0] in "@#" else words[0]
        if not (valid_hostname(domain.removesuffix(".")) or (domain[:1] == "[" and valid_literal(domain))):
            return session.refuse("501 Error: invalid parameter syntax")
        session.state.protocol_state, session.state.etrn_domain = "ETRN", domain
        reply = await session.check(session.service.access.etrn(session.state, domain))
        session.state.etrn_domain = ""
        if reply is not None:
            return session.reject(reply)
        return await self._flush(session, domain)

    async def _flush(self, session: SmtpSession, domain: str) -> bool:
        service = session.service
        if service.stand_alone:
            service.log.warning('do not use ETRN in "sendmail -bs" mode')
            return session.refuse("458 Unable to queue messages")
        try:
            if service.flush is None or not await service.flush_domains.match(domain):
                service.log.warning(lines.etrn_rejected(domain, session.printable))
                return session.refuse(f"459 <{domain}>: service unavailable")
            await service.flush(domain)
        except MailError as error:
            service.log.warning(f"{session.printable}: {error.cause or error.reply}")
            return session.refuse("458 Unable to queue messages")
        session.say(b"250 Queuing started\r\n")
        return True
