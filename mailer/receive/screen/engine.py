"""The SMTP that clients talk to who are not let through yet, or never will be: it takes no mail (postscreen(8)).

It watches for what no mail system does: commands sent before the answer to the last one, commands of other protocols, lines
that end in a bare line feed. Who gets as far as a recipient has passed these tests. What each command is answered is
known to `mailer.receive.screen.commands`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailer.message.status import TemporaryError
from mailer.net.server import Lost, TimedOut
from mailer.receive.screen import lines
from mailer.receive.screen.commands import BY_VERB, Dialogue
from mailer.receive.screen.encryption import HandshakeFailed
from mailer.receive.screen.stamps import EARLY, Trial

if TYPE_CHECKING:
    from mailer.receive.screen.session import Screening

__all__ = ["Engine"]

_HEADER = re.compile(r"[!-9;-~]+:").match
_PROTOCOL = "5.5.1 Protocol error"
_BROKEN_RULES = "5.7.0 Error: I can break rules, too. Goodbye."
_WITHOUT_TLS = frozenset(("EHLO", "HELO", "NOOP", "QUIT", "STARTTLS"))
_UNKNOWN = "UNIMPLEMENTED"


class Engine:
    """Talks to one client. ``where`` is its last command, for the log."""

    def __init__(self, screening: Screening) -> None:
        self._screening = screening
        self._dialogue = Dialogue(screening)
        self._where = "CONNECT"
        self._count = 0

    async def run(self) -> None:
        """Until the connection ends, one way or the other."""
        screening, connection = self._screening, self._screening.connection
        screen = screening.screen
        if not screening.spoke_early:
            connection.reply(screen.banner)
        connection.per_request = True
        try:
            while True:
                connection.timeout = screen.command_time
                if not await self._command(await connection.line()):
                    return
        except Lost:
            screening.hang_up("after")
        except HandshakeFailed:
            screening.hang_up("after")
        except TimedOut:
            screen.log.info(f"COMMAND TIME LIMIT from {screening.client} after {self._where}")
            screening.say_no(f"421 4.4.2 {screen.hostname} Error: timeout exceeded")

    async def _command(self, octets: bytes) -> bool:
        """One command line. :return: whether there is to be another one."""
        screening = self._screening
        screen = screening.screen
        self._count += 1
        if self._count > screen.command_limit:
            return self._too_much("COUNT")
        if len(octets) >= screen.line_limit:
            return self._too_much("LENGTH")
        line: str | None = octets.partition(b"\0")[0].decode("utf-8", "surrogateescape")
        assert line is not None
        if screening.connection.machine.line_was_bare and not self._bare_newline(line):
            return False
        line = await self._filtered(line)
        if line is None:
            return screening.say_no(f"421 4.3.0 {screen.hostname} Server local data error")
        verb, _, argument = line.strip(" ").partition(" ")
        verb, argument = verb.upper() if verb.isascii() else verb, argument.strip(" ")
        command = BY_VERB.get(verb)
        if command is None and not await self._foreign(verb, line):
            return False
        name = verb if command is not None else _UNKNOWN
        if screening.connection.machine.pending and not self._pipelined(name):
            return False
        if name == "RCPT":
            for test in screening.todo - EARLY:
                screening.passed(test)
        self._where = name
        if command is None:
            screening.say_no("502 5.5.2 Error: command not recognized")
            return True
        if screen.tls.required and not self._dialogue.encrypted and name not in _WITHOUT_TLS:
            screening.say_no("530 5.7.0 Must issue a STARTTLS command first")
            return True
        return await command(self._dialogue, argument)

    def _too_much(self, what: str) -> bool:
        screening = self._screening
        screening.screen.log.info(f"COMMAND {what} LIMIT from {screening.client} after {self._where}")
        return screening.say_no(f"421 {screening.screen.hostname} Service unavailable - try again later")

    async def _filtered(self, line: str) -> str | None:
        """The command that postscreen_command_filter has in place of this one. None: it cannot tell."""
        screen = self._screening.screen
        if screen.command_filter is None:
            return line
        try:
            found: str | None = await screen.command_filter.lookup(line)
        except TemporaryError:  # the table has logged it
            return None
        if found is None:
            return line
        screen.log.info(
            f'{self._screening.client}: replacing command "{lines.neutral(line[:100])}" with "{found[:100]}"'
        )
        return found

    # What no mail system does.

    def _bare_newline(self, line: str) -> bool:
        screening = self._screening
        if Trial.BARE_NEWLINE not in screening.todo:
            return True
        text = lines.neutral(line[:100])
        screening.screen.log.info(f"BARE NEWLINE from {screening.client} after {text}")
        return screening.fail_deep(Trial.BARE_NEWLINE, _PROTOCOL)

    async def _foreign(self, verb: str, line: str) -> bool:
        screening = self._screening
        if Trial.NON_SMTP not in screening.todo or not (_HEADER(verb) or await self._forbidden(verb)):
            return True
        shown, _, rest = line.strip(" ").partition(" ")
        text = lines.neutral(f"{shown} {rest.lstrip(' ')[:100]}")
        screening.screen.log.info(f"NON-SMTP COMMAND from {screening.client} after {self._where}: {text}")
        return screening.fail_deep(Trial.NON_SMTP, _PROTOCOL, _BROKEN_RULES)

    async def _forbidden(self, verb: str) -> bool:
        try:
            return await self._screening.screen.forbidden.match(verb)
        except TemporaryError:
            return False

    def _pipelined(self, name: str) -> bool:
        screening = self._screening
        if Trial.PIPELINING not in screening.todo:
            return True
        octets = screening.connection.machine.peek(100)
        screening.screen.log.info(lines.pipelining(screening.client, name, octets))
        return screening.fail_deep(Trial.PIPELINING, _PROTOCOL)
