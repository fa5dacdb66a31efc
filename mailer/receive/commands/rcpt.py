"""RCPT (RFC 5321 4.1.1.3) with the parameters of DSN (RFC 3461)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.message.envelope import Notify, Recipient
from mailer.message.status import MailError
from mailer.receive import lines
from mailer.receive.commands.command import Command
from mailer.receive.filter.filter import FilterRefused
from mailer.receive.opening import open_filter, open_message
from mailer.receive.replies import OK_RECIPIENT
from mailer.wire.smtp.command import BadWord, parse_notify, parse_orcpt, path_words
from mailer.wire.smtp.path import PathError, parse_path

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession
    from mailer.receive.transaction import Transaction

__all__ = ["Rcpt"]

_SYNTAX = "501 5.5.4 Syntax: RCPT TO:<address>"
_BAD_RECIPIENT = "501 5.1.3 Bad recipient address syntax"
_TOO_MANY = "452 4.5.3 Error: too many recipients"


class Rcpt(Command):
    name = "RCPT"

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        service = session.service
        transaction = session.transaction
        if transaction is None or transaction.finished:
            return session.refuse("503 5.5.1 Error: need MAIL command")
        if session.chunking:
            return session.refuse("503 5.5.1 Error: RCPT after BDAT")
        try:
            keyword, path, parameters = path_words(argument)
        except BadWord:
            return session.refuse(_BAD_RECIPIENT)
        if keyword != "TO:" or not path:
            return session.refuse(_SYNTAX)
        if session.limited and service.recipient_rate_limit and not await self._rate_allowed(session):
            return False
        utf8 = transaction.envelope.smtputf8
        try:
            address = parse_path(path, service.strict_envelopes, service.numeric_domains, utf8, service.null_domain)
        except PathError:
            address = ""
        if not address or (address.startswith("-") and not service.minus_allowed):
            service.log.warning(lines.bad_address(session.printable, "RCPT", path))
            return session.refuse(_BAD_RECIPIENT)
        recipient = Recipient(address, address)
        refusal = _read_parameters(session, recipient, parameters) if parameters else ""
        if refusal:
            return session.refuse(refusal)
        if not recipient.orcpt:
            written = path[1:-1] if path[0] == "<" and path[-1] == ">" else path
            if written != address:  # reports name what the client has written, route and quotes included
                recipient.orcpt = f"rfc822;{written}"
        if service.strict_smtputf8 and not utf8 and not address.isascii():
            return session.refuse("553 5.6.7 Must declare SMTPUTF8 to send unicode address")
        if transaction.recipients >= service.recipient_limit:
            session.refuse(_TOO_MANY)
            transaction.overshoot += 1
            return transaction.overshoot <= service.overshoot_limit
        return await self._take(session, transaction, recipient, line)

    async def _take(self, session: SmtpSession, transaction: Transaction, recipient: Recipient, line: str) -> bool:
        state = session.state
        state.protocol_state = "RCPT"
        state.recipient = recipient.address
        reply = await session.check(session.service.access.rcpt(state))
        if session.service.before_queue is not None and reply is None:
            try:
                await self._tell_filter(session, transaction, line)
            except FilterRefused as refused:
                state.recipient = transaction.sole
                return session.refuse(*refused.lines)
        elif reply is None and transaction.writer is None:
            try:
                open_message(session, transaction)
            except MailError as error:
                session.service.log.warning(f"{session.printable}: {error.cause or error.reply}")
                reply = error.reply
        if reply is not None:
            session.reject(reply)
            state.recipient = transaction.sole
            return False
        transaction.writer.recipient(recipient)
        transaction.accept(recipient.address)
        state.recipient = transaction.sole
        state.recipient_count = transaction.recipients
        session.say(OK_RECIPIENT)
        return True

    @staticmethod
    async def _tell_filter(session: SmtpSession, transaction: Transaction, line: str) -> None:
        if transaction.writer is None:
            await open_filter(session, transaction)
        await transaction.writer.command(line, 2)

    async def _rate_allowed(self, session: SmtpSession) -> bool:
        service, address = session.service, session.client.address
        count = await service.anvil.recipient(service.name, address)
        if count <= service.recipient_rate_limit:
            return True
        session.refuse(f"450 4.7.1 Error: too many recipients from {address}")
        service.log.warning(lines.over_limit("Recipient address rate", count, session.printable, service.name))
        return False


def _read_parameters(session: SmtpSession, recipient: Recipient, parameters: list[str]) -> str:
    """Take them over. :return: the refusal of the first wrong one, or ""."""
    for parameter in parameters:
        keyword, _, value = parameter.partition("=")
        keyword = keyword.upper() if "=" in parameter else ""
        if keyword not in ("NOTIFY", "ORCPT"):
            return f"555 5.5.4 Unsupported option: {parameter}"
        if "DSN" in session.discarded:
            return "501 5.7.1 DSN support is disabled"
        try:
            if keyword == "NOTIFY":
                _set_notify(session, recipient, value)
            elif recipient.orcpt:
                raise ValueError(parameter)
            else:
                recipient.orcpt = parse_orcpt(value)
        except ValueError:
            return f"501 5.5.4 Error: Bad {keyword} parameter syntax"
    return ""


def _set_notify(session: SmtpSession, recipient: Recipient, value: str) -> None:
    if recipient.notify is not Notify.UNSET:
        raise ValueError(value)
    try:
        recipient.notify = parse_notify(value)
    except ValueError as error:
        word = error.args[0]
        if word:
            session.service.log.warning(f'unknown DSN NOTIFY command value "{word}" in "{value}"')
        raise
