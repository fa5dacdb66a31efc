"""The commands of a session, one after the other: decoded, looked up, counted, carried out (smtpd(8)).

Here stands what holds for every command: errors and their limits, useless and forbidden commands, commands that come too
early, and clients that were refused at the start and do not go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mailer.message.status import TemporaryError
from mailer.receive import lines
from mailer.receive.commands.table import BY_VERB, Command
from mailer.receive.replies import OK
from mailer.wire.smtp.command import verb_of

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["converse"]

_HEADER = re.compile(r"[!-9;-~]+:").match


async def converse(session: SmtpSession) -> str:
    """Commands until the end of the session. :return: the reason for the log, "" for an ordinary end."""
    service, connection = session.service, session.connection
    while not session.closing:
        if session.errors >= service.hard_error_limit:
            session.refuse(f"421 4.7.0 {service.hostname} Error: too many errors")
            return "too many errors"
        octets = await connection.line()
        slow = session.errors >= service.soft_error_limit and service.error_sleep_time > 0
        if connection.machine.line_was_bare and session.bare_newline == "reject":
            _refuse_bare_newline(session)
            return ""
        line = _decode(session, octets)
        if session.transcript is not None and line is not None:
            session.transcript.heard(line)
        if line is not None and service.command_filter is not None:
            line = await _filtered(session, service.command_filter, line)
            if line is None:
                return ""
        if line is None or not await _obey(session, line):
            session.errors += 1
        if slow:
            await connection.sleep(service.error_sleep_time)
    return ""


def _decode(session: SmtpSession, octets: bytes) -> str | None:
    if len(octets) >= session.service.line_limit:
        shown = octets[:30].decode("utf-8", "surrogateescape")
        session.service.log.warning(
            f"{session.printable}: request longer than {session.service.line_limit}: {shown}..."
        )
    try:
        line = octets.decode()
    except UnicodeDecodeError:
        if session.service.smtputf8:
            session.refuse("500 5.5.2 Error: bad UTF-8 syntax")
            return None
        line = octets.decode("utf-8", "surrogateescape")
    return line if "\0" not in line else line[: line.index("\0")]


async def _filtered(session: SmtpSession, table: Any, line: str) -> str | None:
    """The command that smtpd_command_filter has in place of this one. None: it cannot tell, which ends the session."""
    try:
        found: str | None = await table.lookup(line.lstrip(" \t"))
    except TemporaryError:  # the table has logged it
        session.data_error()
        return None
    if found is None:
        return line
    session.service.log.info(lines.replaced(session.printable, line, found))
    return found


async def _obey(session: SmtpSession, line: str) -> bool:
    """One command. :return: whether it counts as none of the client's errors."""
    verb, argument = verb_of(line)
    command = BY_VERB.get(verb) or BY_VERB.get(verb.upper())
    if command is None or session.denied is not None or session.must_encrypt or session.service.has_noop_commands:
        settled = await _unusual(session, verb, line, command)
        if settled is not None:
            return settled
        assert command is not None
    session.where = command.name
    count = _count(session, command)
    if session.connection.machine.pending and not _in_step(session, command):
        return False
    good = await command.execute(session, argument, line)
    if good and command.counted:
        count[0] += 1
    if command.junk and not _junk_allowed(session):
        session.errors += 1  # besides the one that the command itself may be
    return good


def _junk_allowed(session: SmtpSession) -> bool:
    session.junk += 1
    return session.junk <= session.service.junk_limit + 1


async def _unusual(session: SmtpSession, verb: str, line: str, command: Command | None) -> bool | None:
    """Whatever is no ordinary command of an admitted client. None: it is one after all."""
    service = session.service
    if not verb:
        return session.refuse("500 5.5.2 Error: bad syntax")
    if service.has_noop_commands and await _told(service.noop_commands.match(verb)):
        session.say(OK)
        return _junk_allowed(session)
    if command is None:
        session.where = "UNKNOWN"
        if _HEADER(verb) or await _told(service.forbidden_commands.match(verb)):
            _count(session, None)
            service.log.warning(lines.no_command(session.printable, line))
            session.say(b"221 2.7.0 Error: I can break rules, too. Goodbye.\r\n")
            session.closing = True
            return True
    if session.denied is not None and (command is None or command.name != "QUIT"):
        _count(session, command)
        return session.refuse(f"503 5.7.0 Error: access denied for {session.printable}")
    if command is None:
        _count(session, None)
        return session.refuse("500 5.5.2 Error: command not recognized")
    if session.must_encrypt and not command.plain:
        _count(session, command)
        return session.refuse("530 5.7.0 Must issue a STARTTLS command first")
    return None


def _count(session: SmtpSession, command: Command | None) -> list[int]:
    """How often this command has succeeded and has been given, this time included."""
    name = command.name if command is not None else "UNKNOWN"
    count = session.counts.get(name)
    if count is None:
        count = session.counts[name] = [0, 0]
    count[1] += 1
    return count


def _in_step(session: SmtpSession, command: Command) -> bool:
    """More input stands behind this command already: is that right (RFC 2920)?"""
    if session.protocol != "SMTP" and not command.ends_group or session.pipelined:
        return True
    session.pipelined = session.state.pipelined = True
    early = session.connection.machine.peek(100)
    session.service.log.info(lines.pipelining(command.name, session.printable, early))
    if session.service.pipelining_forbidden:
        session.refuse("554 5.5.0 Error: SMTP protocol synchronization")
        session.closing = True
        return False
    return True


def _refuse_bare_newline(session: SmtpSession) -> None:
    session.log_rejection("bare <LF> received")
    session.refuse(f"{session.service.bare_newline_code} 5.5.2 {session.service.hostname} Error: bare <LF> received")


async def _told(question: Any) -> bool:
    """The answer of a list that matters little: "cannot tell now" counts as no."""
    try:
        return await question
    except TemporaryError:
        return False
