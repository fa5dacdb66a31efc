"""MAIL (RFC 5321 4.1.1.2) with the parameters of SIZE, 8BITMIME, DSN, SMTPUTF8, AUTH and XVERP."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailer.message.envelope import Envelope
from mailer.message.status import MailError, Reply, TemporaryError
from mailer.receive import lines
from mailer.receive.commands.command import Command
from mailer.receive.opening import open_message
from mailer.receive.replies import OK_SENDER
from mailer.receive.transaction import Transaction
from mailer.wire.smtp.command import BadWord, parse_size, path_words
from mailer.wire.smtp.path import PathError, parse_path
from mailer.wire.smtp.xtext import decode_xtext

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Mail"]

_SYNTAX = "501 5.5.4 Syntax: MAIL FROM:<address>"
_BAD_SENDER = "501 5.1.7 Bad sender address syntax"
_TOO_BIG = Reply(552, "5.3.4", "Message size exceeds fixed limit")
_LARGEST = 1 << 63


class Mail(Command):
    name = "MAIL"

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        service = session.service
        if service.helo_required and not session.client.helo:
            return session.refuse("503 5.5.1 Error: send HELO/EHLO first")
        if session.transaction is not None:
            return session.refuse("503 5.5.1 Error: nested MAIL command")
        if session.chunking:
            return session.refuse("503 5.5.1 Error: MAIL after BDAT")
        try:
            keyword, path, parameters = path_words(argument)
        except BadWord:
            return session.refuse(_BAD_SENDER)
        if keyword != "FROM:" or not path:
            return session.refuse(_SYNTAX)
        if session.limited and service.message_rate_limit and not await self._rate_allowed(session):
            return False
        envelope = Envelope(
            client=session.client, arrival=service.seconds(), filter=service.filter, overrides=service.overrides
        )
        refusal = self._read_parameters(session, envelope, parameters) if parameters else ""
        try:
            envelope.sender = parse_path(
                path, service.strict_envelopes, service.numeric_domains, envelope.smtputf8, service.null_domain
            )
            if envelope.sender.startswith("-") and not service.minus_allowed:
                raise PathError(path)
        except PathError:
            service.log.warning(lines.bad_address(session.printable, "MAIL", path))
            return session.refuse(_BAD_SENDER)
        if refusal:
            return session.refuse(refusal)
        if envelope.verp and not envelope.sender:
            return session.refuse("503 5.5.4 Error: XVERP requires non-null sender")
        return await self._take(session, envelope, line)

    async def _take(self, session: SmtpSession, envelope: Envelope, line: str) -> bool:
        service = session.service
        if service.strict_smtputf8 and not envelope.smtputf8 and not envelope.sender.isascii():
            return session.refuse("553 5.6.7 Must declare SMTPUTF8 to send unicode address")
        if not session.context:
            try:
                session.context = await service.origin.of(session.client, session.state.peer)
            except TemporaryError as error:
                service.log.warning(f"{session.printable}: {error.cause}")
                return session.refuse("451 4.3.0 Temporary lookup error")
        envelope.context = session.context
        transaction = Transaction(envelope)
        transaction.command = line
        session.begin(transaction)
        session.state.protocol_state = "MAIL"
        reply = await session.check(service.access.mail(session.state))
        if reply is None and service.message_size_limit and session.declared_size > service.message_size_limit:
            reply = _TOO_BIG
        if reply is None and service.open_early:
            reply = _open(session, transaction)
        if reply is not None:
            session.reject(reply)
            declared = session.declared_size  # stays until RSET, as in Postfix
            session.reset()
            session.declared_size = declared
            return False
        session.say(OK_SENDER)
        return True

    async def _rate_allowed(self, session: SmtpSession) -> bool:
        service, address = session.service, session.client.address
        count = await service.anvil.message(service.name, address)
        if count <= service.message_rate_limit:
            return True
        session.refuse(f"450 4.7.1 Error: too much mail from {address}")
        service.log.warning(lines.over_limit("Message delivery request rate", count, session.printable, service.name))
        return False

    def _read_parameters(self, session: SmtpSession, envelope: Envelope, parameters: list[str]) -> str:
        """Take them over. :return: the refusal of the first wrong one, or ""."""
        for parameter in parameters:
            keyword, equals, value = parameter.partition("=")
            reader = _READERS.get(keyword.upper() + equals) or _READERS.get(parameter.upper())
            refusal = reader(session, envelope, value) if reader else None
            if refusal is None:
                return f"555 5.5.4 Unsupported option: {parameter}"
            if refusal:
                return refusal
        return ""


def _open(session: SmtpSession, transaction: Transaction) -> Reply | None:
    try:
        open_message(session, transaction)
    except MailError as error:
        return error.reply
    return None


# Readers of parameters: "" when all is well, None when the parameter is not known here, else the refusal.


def _size(session: SmtpSession, envelope: Envelope, value: str) -> str | None:
    try:
        size = parse_size(value)
    except ValueError:
        return "501 5.5.4 Bad message size syntax"
    if size >= _LARGEST:
        return "552 5.3.4 Message size exceeds file system imposed limit"
    session.declared_size = envelope.size = size
    return ""


def _seven_bit(session: SmtpSession, envelope: Envelope, value: str) -> str | None:
    envelope.body = "7BIT"
    return ""


def _eight_bit(session: SmtpSession, envelope: Envelope, value: str) -> str | None:
    envelope.body = "8BITMIME"
    return ""


def _smtputf8(session: SmtpSession, envelope: Envelope, value: str) -> str | None:
    if not session.service.smtputf8 or "SMTPUTF8" in session.discarded:
        return None
    envelope.smtputf8 = True
    return ""


def _auth(session: SmtpSession, envelope: Envelope, value: str) -> str | None:
    if session.sasl is None:
        return ""
    if session.client.sasl_sender:
        return "503 5.5.4 Error: multiple AUTH= options"
    if value and value != "<>":
        shown = "".join(char if char.isprintable() else "?" for char in value)
        session.set_client(replace(session.client, sasl_sender=shown))
        envelope.client = session.client
    return ""


def _ret(session: SmtpSession, envelope: Envelope, value: str) -> str | None:
    if "DSN" in session.discarded:
        return "501 5.7.1 DSN support is disabled"
    if envelope.ret or value.upper() not in ("FULL", "HDRS"):
        return "501 5.5.4 Bad RET parameter syntax"
    envelope.ret = value.upper()
    return ""


def _envid(session: SmtpSession, envelope: Envelope, value: str) -> str | None:
    if "DSN" in session.discarded:
        return "501 5.7.1 DSN support is disabled"
    try:
        envid = decode_xtext(value)
    except ValueError:
        envid = ""
    if envelope.envid or not envid or not (envid.isascii() and envid.isprintable()):
        return "501 5.5.4 Bad ENVID parameter syntax"
    envelope.envid = envid
    return ""


def _verp(session: SmtpSession, envelope: Envelope, value: str) -> str | None:
    service = session.service
    if not session.verp_allowed:
        return None
    allowed = service.verp_characters
    if not value:
        value = service.verp_default
    elif len(value) != 2 or not set(value) <= set(allowed):
        return f"501 5.5.4 Error: XVERP needs two characters from {allowed}"
    envelope.verp = value
    return ""


_READERS = {
    "SIZE=": _size,
    "BODY=7BIT": _seven_bit,
    "BODY=8BITMIME": _eight_bit,
    "SMTPUTF8": _smtputf8,
    "AUTH=": _auth,
    "RET=": _ret,
    "ENVID=": _envid,
    "XVERP": _verp,
    "XVERP=": _verp,
}
