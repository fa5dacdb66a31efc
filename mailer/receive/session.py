"""One SMTP session: reads commands, has them carried out, counts errors, and ends as it has to (smtpd(8), RFC 5321 3.1).

What a command does is known to the modules in ``mailer.receive.commands``; what they share is here: the client, the
transaction, replies, and the state that decides whether a command may be given at all.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from twisted.logger import Logger

from mailer.message.envelope import Client
from mailer.message.session import Session
from mailer.message.status import MailError, Reply, TemporaryError
from mailer.net.server import Lost, ServerConnection, TimedOut
from mailer.receive import lines
from mailer.receive.commands.table import BY_VERB, ORDER, Command
from mailer.receive.greeting import farewell, greet
from mailer.receive.replies import OK, reply_lines, wire
from mailer.receive.service import Service
from mailer.receive.transaction import Transaction
from mailer.wire.smtp.command import verb_of

__all__ = ["SmtpSession"]

_HEADER = re.compile(r"[!-9;-~]+:").match
_fault = Logger()


class SmtpSession:
    """A client's session with one service. ``run`` is its whole life.

    ``state`` is what access checks see; ``client`` and ``printable`` (``name[address]``) what logs show; ``protocol`` is SMTP or
    ESMTP. ``chunking`` is "", ``open`` (BDAT under way) or ``failed`` (further chunks are dropped). ``where`` is the log's word
    for what came last. ``discarded`` are the EHLO keywords that this client does without. ``denied`` is the reply with which
    the client was refused at the start.
    """

    __slots__ = (
        "_counts",
        "_junk",
        "_pipelined",
        "bare_newline",
        "chunking",
        "client",
        "client_line",
        "closing",
        "connection",
        "context",
        "declared_size",
        "denied",
        "discarded",
        "errors",
        "forwarded",
        "header_source",
        "limited",
        "printable",
        "protocol",
        "service",
        "state",
        "transaction",
        "verp_allowed",
        "where",
    )

    def __init__(self, service: Service, connection: ServerConnection, client: Client, server: tuple[str, str]) -> None:
        self.service = service
        self.connection = connection
        self.state = Session(client, server_address=server[0], server_port=server[1])
        self.protocol = "SMTP"
        self.transaction: Transaction | None = None
        self.chunking = ""
        self.declared_size = 0
        self.where = "CONNECT"
        self.discarded: frozenset[str] = frozenset()
        self.denied: Reply | None = None
        self.errors = 0
        self.closing = False
        self.limited = False
        self.bare_newline = "no"
        self.forwarded: dict[str, str] | None = None
        self.verp_allowed = False
        self._junk = 0
        self._pipelined = False
        self._counts: dict[str, list[int]] = {}
        self.set_client(client)

    def set_client(self, client: Client) -> None:
        """From now on the client is this one (greeting, XCLIENT, HELO)."""
        self.client = self.state.client = client
        port = f":{client.port}" if self.service.port_logging else ""
        self.printable = f"{client.name}[{client.address}]{port}"
        self.client_line = f": client={self.printable}"
        self.header_source = ""
        self.context = ""

    def set_helo(self, name: str, protocol: str) -> None:
        self.protocol = protocol
        self.state.ehlo = protocol != "SMTP"
        # A new object, because messages taken before keep the one that they came with.
        self.set_client(replace(self.client, helo=name, protocol=protocol))

    async def run(self) -> None:
        """Serve until the client or an error ends it."""
        reason = ""
        try:
            if await greet(self):
                reason = await self._converse()
        except Lost:
            reason = "lost connection"
        except TimedOut:
            reason = "timeout"
            self.refuse(f"421 4.4.2 {self.service.hostname} Error: timeout exceeded")
        except MailError as error:
            self.service.log.warning(f"{self.printable}: {error.cause or error.reply}")
            self.refuse(f"421 4.3.0 {self.service.hostname} Server local error")
        except Exception:
            _fault.failure("SMTP session of {client}", client=self.printable)
            self.service.log.error(f"internal fault in the session of {self.printable}")
            self.refuse(f"421 4.3.0 {self.service.hostname} Server local error")
        await self._end(reason)

    async def _end(self, reason: str) -> None:
        log = self.service.log
        if reason and not (reason == "lost connection" and self.where == "END-OF-MESSAGE"):
            transaction = self.transaction
            counted = transaction is not None and transaction.writer is not None and self.where in ("DATA", "BDAT")
            octets = transaction.size if transaction is not None and counted else None
            log.info(lines.broken_off(reason, self.where, self.printable, octets))
        self.reset()
        counts = [(name.lower(), *self._counts[name]) for name in ORDER if name in self._counts]
        log.info(lines.disconnect(self.printable, counts))
        await farewell(self)

    # Reading commands.

    async def _converse(self) -> str:
        """Commands until the end of the session. :return: the reason for the log, "" for an ordinary end."""
        service, connection = self.service, self.connection
        while not self.closing:
            if self.errors >= service.hard_error_limit:
                self.refuse(f"421 4.7.0 {service.hostname} Error: too many errors")
                return "too many errors"
            octets = await connection.line()
            slow = self.errors >= service.soft_error_limit and service.error_sleep_time > 0
            if connection.machine.line_was_bare and self.bare_newline == "reject":
                self._refuse_bare_newline()
                return ""
            line = self._decode(octets)
            if line is None or not await self._obey(line):
                self.errors += 1
            if slow:
                await connection.sleep(service.error_sleep_time)
        return ""

    def _decode(self, octets: bytes) -> str | None:
        if len(octets) >= self.service.line_limit:
            shown = octets[:30].decode("utf-8", "surrogateescape")
            self.service.log.warning(f"{self.printable}: request longer than {self.service.line_limit}: {shown}...")
        try:
            line = octets.decode()
        except UnicodeDecodeError:
            if self.service.smtputf8:
                self.refuse("500 5.5.2 Error: bad UTF-8 syntax")
                return None
            line = octets.decode("utf-8", "surrogateescape")
        return line if "\0" not in line else line[: line.index("\0")]

    async def _obey(self, line: str) -> bool:
        """One command. :return: whether it counts as none of the client's errors."""
        verb, argument = verb_of(line)
        command = BY_VERB.get(verb) or BY_VERB.get(verb.upper())
        if command is None or self.denied is not None or self.service.has_noop_commands:
            settled = await self._unusual(verb, line, command)
            if settled is not None:
                return settled
            assert command is not None
        name = command.name
        self.where = name
        count = self._counts.get(name)
        if count is None:
            count = self._counts[name] = [0, 0]
        count[1] += 1
        if self.connection.machine.pending and not self._in_step(command):
            return False
        good = await command.execute(self, argument, line)
        if good and command.counted:
            count[0] += 1
        if command.junk:
            good = self._junk_allowed() and good
        return good

    def _junk_allowed(self) -> bool:
        self._junk += 1
        return self._junk <= self.service.junk_limit + 1

    async def _unusual(self, verb: str, line: str, command: Command | None) -> bool | None:
        """Whatever is no ordinary command of an admitted client. None: it is one after all."""
        service = self.service
        if not verb:
            return self.refuse("500 5.5.2 Error: bad syntax")
        if service.has_noop_commands and await _told(service.noop_commands.match(verb)):
            self.say(OK)
            return self._junk_allowed()
        if command is None:
            self.where = "UNKNOWN"
            if _HEADER(verb) or await _told(service.forbidden_commands.match(verb)):
                self._count_unknown()
                service.log.warning(lines.no_command(self.printable, line))
                self.say(b"221 2.7.0 Error: I can break rules, too. Goodbye.\r\n")
                self.closing = True
                return True
        if self.denied is not None and (command is None or command.name != "QUIT"):
            self._count_refused(command)
            return self.refuse(f"503 5.7.0 Error: access denied for {self.printable}")
        if command is None:
            self._count_unknown()
            return self.refuse("500 5.5.2 Error: command not recognized")
        return None

    def _count_unknown(self) -> None:
        self._counts.setdefault("UNKNOWN", [0, 0])[1] += 1

    def _count_refused(self, command: Command | None) -> None:
        self._counts.setdefault(command.name if command else "UNKNOWN", [0, 0])[1] += 1

    def _in_step(self, command: Command) -> bool:
        """More input stands behind this command already: is that right (RFC 2920)?"""
        if self.protocol != "SMTP" and not command.ends_group or self._pipelined:
            return True
        self._pipelined = self.state.pipelined = True
        early = self.connection.machine.peek(100)
        self.service.log.info(lines.pipelining(command.name, self.printable, early))
        if self.service.pipelining_forbidden:
            self.refuse("554 5.5.0 Error: SMTP protocol synchronization")
            self.closing = True
            return False
        return True

    def _refuse_bare_newline(self) -> None:
        self.log_rejection("bare <LF> received")
        self.refuse(f"{self.service.bare_newline_code} 5.5.2 {self.service.hostname} Error: bare <LF> received")

    # What commands use.

    def say(self, octets: bytes) -> None:
        """A positive reply, as it travels."""
        self.connection.reply(octets)

    def refuse(self, *texts: str) -> bool:
        """A negative reply, each argument a line with its codes. :return: False, for the command to return."""
        said = list(texts)
        if said[0].startswith(("421", "521")):
            self.closing = True
        if self.service.footer:
            said = self.service.footer.add(said, self._footer_attributes())
        self.connection.reply(wire(said))
        return False

    def reject(self, reply: Reply) -> bool:
        """Refuse and log, as for an access check that says no. :return: False."""
        said = reply_lines(reply)
        self.log_rejection(said[0])
        return self.refuse(*said)

    def log_rejection(self, text: str, action: str = "reject") -> None:
        transaction, state = self.transaction, self.state
        self.service.log.info(
            lines.rejected(
                transaction.queue_id if transaction is not None else "",
                self.where,
                self.printable,
                text,
                sender=transaction.envelope.sender if transaction is not None else None,
                recipient=state.recipient or (transaction.sole if transaction is not None else ""),
                protocol=self.protocol,
                helo=self.client.helo,
                action=action,
            )
        )

    async def check(self, question: Any) -> Reply | None:
        """Ask an access check (a coroutine of IAccess) and log what it decided besides."""
        try:
            reply: Reply | None = await question
        except TemporaryError as error:
            self.service.log.warning(f"{self.printable}: {error.cause}")
            reply = error.reply
        decisions = self.state.decisions
        if decisions:
            for action, text in decisions:
                self.log_rejection(text, action)
            decisions.clear()
        return reply

    def begin(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.state.envelope = transaction.envelope
        self.state.instance = self.service.instance()

    def reset(self) -> None:
        """No transaction any more."""
        transaction = self.transaction
        if transaction is not None:
            transaction.abort()
            self.transaction = None
        self.chunking = ""
        self.declared_size = 0
        self.forwarded = None
        state = self.state
        state.envelope = None
        state.recipient = state.queue_id = state.instance = ""
        state.recipient_count = state.size = 0

    def delivered(self) -> None:
        """A message has been taken: errors are forgiven."""
        self.errors = self._junk = 0
        self.where = "END-OF-MESSAGE"
        if self.transaction is not None:
            self.transaction.writer = None
        self.reset()

    def _footer_attributes(self) -> dict[str, str]:
        client, transaction = self.client, self.transaction
        return {
            "client": self.printable,
            "client_name": client.name,
            "client_address": client.address,
            "client_port": client.port,
            "helo_name": client.helo,
            "sender": transaction.envelope.sender if transaction is not None else "",
            "recipient": transaction.sole if transaction is not None else "",
        }


async def _told(question: Any) -> bool:
    """The answer of a list that matters little: "cannot tell now" counts as no."""
    try:
        return await question
    except TemporaryError:
        return False
