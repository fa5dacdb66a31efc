"""HELO and EHLO (RFC 5321 4.1.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.message.status import TemporaryError
from mailer.receive import lines
from mailer.receive.authentication import announcement
from mailer.receive.commands.command import Command
from mailer.receive.greeting import listed

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Ehlo", "Helo"]

_FILTERED = {ord(character): "?" for character in ' <>()\\";@'}
_FILTERED.update(dict.fromkeys((*range(32), 127), "?"))


def _neutral(text: str, utf8: bool) -> str:
    """The name as it may stand in a header and in the log."""
    text = " ".join(text.split())
    if not utf8 and not text.isascii():
        text = "".join(c if c.isascii() else "?" * len(c.encode("utf-8", "surrogateescape")) for c in text)
    return text.translate(_FILTERED)


class _Greeting(Command):
    ends_group = True
    junk = True
    plain = True

    async def _accept(self, session: SmtpSession, argument: str, protocol: str) -> bool:
        name = _neutral(argument, session.service.smtputf8)
        before = session.client, session.protocol
        # Checks at once see the name as it came; delayed ones what is left of it.
        given = name if session.service.delay_reject else " ".join(argument.split())
        session.set_helo(given, protocol if session.protocol == "SMTP" else session.protocol)
        session.protocol = before[1]  # the log shows the protocol spoken so far
        session.state.protocol_state = self.name
        reply = await session.check(session.service.access.helo(session.state))
        if reply is not None:
            session.reject(reply)
            session.set_client(before[0])
            return False
        session.protocol = session.client.protocol
        if given != name:
            session.set_helo(name, session.protocol)
        session.reset()
        return True


class Helo(_Greeting):
    name = "HELO"

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        if not argument.strip():
            return session.refuse("501 Syntax: HELO hostname")
        if not await self._accept(session, argument, "SMTP"):
            return False
        session.say(f"250 {session.service.hostname}\r\n".encode())
        return True


class Ehlo(_Greeting):
    name = "EHLO"

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        if not argument.strip():
            return session.refuse("501 Syntax: EHLO hostname")
        service = session.service
        keywords = service.keywords
        try:
            discarded = await keywords.discarded(session.client.address)
        except TemporaryError:  # the table has logged it
            service.log.warning(f"don't know what EHLO features to announce to {session.printable}")
            return session.data_error()
        if not await self._accept(session, argument, "ESMTP"):
            return False
        session.discarded = discarded
        reply = keywords.reply(discarded, await _extras(session))
        named = keywords.to_log(discarded)
        if named and reply.count(b"\n") > 1:  # like Postfix silent where nothing is announced at all
            service.log.info(lines.discarded_keywords(named))
        session.say(reply)
        return True


async def _extras(session: SmtpSession) -> tuple[str, ...]:
    """Keywords that depend on who the client is."""
    service = session.service
    extras = []
    if service.tls.offered and session.state.tls is None:
        extras.append("STARTTLS")
    if session.sasl is not None:
        extras.extend(await announcement(session))
    if service.has_verp_clients:
        session.verp_allowed = await listed(session, service.verp_clients)
        if session.verp_allowed:
            extras.append("XVERP")
    if service.has_xclient_hosts and await listed(session, service.xclient_hosts):
        extras.append("XCLIENT")
    if session.forwards:
        extras.append("XFORWARD")
    return tuple(extras)
