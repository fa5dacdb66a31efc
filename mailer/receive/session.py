"""One SMTP session: its state, its replies, its log lines, its beginning and end (smtpd(8), RFC 5321 3.1).

How commands are read is known to ``mailer.receive.conversation``, what each does to ``mailer.receive.commands``; what they
share is here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.logger import Logger

from mailer.message.envelope import Client
from mailer.message.session import Session
from mailer.message.status import MailError, Reply, TemporaryError
from mailer.net.server import Lost, ServerConnection, TimedOut
from mailer.receive import lines
from mailer.receive.authentication import Authentication, CannotServe
from mailer.receive.commands.table import ORDER
from mailer.receive.conversation import converse
from mailer.receive.greeting import farewell, greet
from mailer.receive.replies import reply_lines, temporary, wire
from mailer.receive.service import Service
from mailer.receive.transaction import Transaction

__all__ = ["SmtpSession"]

#: What an access check answers when its own settings are wrong: the postmaster's trouble, not the client's.
_MISCONFIGURED = "451 4.3.5 Server configuration error"

_fault = Logger()


class SmtpSession:
    """A client's session with one service. ``run`` is its whole life.

    ``state`` is what access checks see; ``client`` and ``printable`` (``name[address]``) what logs show; ``protocol`` is SMTP or
    ESMTP. ``chunking`` is "", ``open`` (BDAT under way) or ``failed`` (further chunks are dropped). ``where`` is the log's word
    for what came last. ``counts`` says of each command how often it succeeded and was given, ``junk`` how many did nothing
    useful. ``limited`` is the address under which the client's connections are counted, "" if they are not. ``discarded``
    are the EHLO keywords that it does without. ``denied`` is the reply with which it was refused at the start.
    ``sasl`` is what holds for AUTH, None while it is off.
    ``must_encrypt`` is True while TLS is demanded and not there yet. ``forwards`` says whether XFORWARD is granted: that is up to
    the client that came, not to the one that it speaks for with XCLIENT.
    """

    __slots__ = (
        "counts",
        "junk",
        "pipelined",
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
        "forwards",
        "header_source",
        "limited",
        "must_encrypt",
        "printable",
        "protocol",
        "sasl",
        "service",
        "state",
        "transaction",
        "transcript",
        "verp_allowed",
        "where",
    )

    def __init__(self, service: Service, connection: ServerConnection, client: Client, server: tuple[str, str]) -> None:
        self.service = service
        self.connection = connection
        self.state = Session(
            client, stress=service.stress, server_address=server[0], server_port=server[1], peer=client.address
        )
        self.protocol = "SMTP"
        self.transaction: Transaction | None = None
        self.chunking = ""
        self.declared_size = 0
        self.where = "CONNECT"
        self.discarded: frozenset[str] = frozenset()
        self.denied: Reply | None = None
        self.errors = 0
        self.closing = False
        self.sasl: Authentication | None = None
        self.must_encrypt = service.tls.required
        self.limited = ""
        self.bare_newline = "no"
        self.forwarded: dict[str, str] | None = None
        self.forwards = False
        self.verp_allowed = False
        self.junk = 0
        self.transcript = service.transcripts.open()
        self.pipelined = False
        self.counts: dict[str, list[int]] = {}
        self.set_client(client)

    def set_client(self, client: Client) -> None:
        """From now on the client is this one (greeting, XCLIENT, HELO)."""
        self.client = self.state.client = client
        port = f":{client.port}" if self.service.port_logging else ""
        self.printable = f"{client.name}[{client.address}]{port}"
        self.client_line = f": client={self.printable}"
        if client.sasl_username or client.sasl_sender:
            self.client_line += lines.login(client)
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
                reason = await converse(self)
        except Lost:
            reason = "lost connection"
            self._tell_of_tls()
        except TimedOut:
            reason = "timeout"
            self.refuse(f"421 4.4.2 {self.service.hostname} Error: timeout exceeded")
        except CannotServe as error:
            self.service.log.fatal(str(error))
            self.reset()
            await farewell(self)
            return
        except MailError as error:
            self.service.log.warning(f"{self.printable}: {error.cause or error.reply}")
            self.refuse(f"421 4.3.0 {self.service.hostname} Server local error")
        except Exception:
            _fault.failure("SMTP session of {client}", client=self.printable)
            self.service.log.error(f"internal fault in the session of {self.printable}")
            self.refuse(f"421 4.3.0 {self.service.hostname} Server local error")
        await self._end(reason)

    def _tell_of_tls(self) -> None:
        """What ended an encrypted connection, if it was not just closed."""
        failure = self.connection.tls_failure
        if failure is not None and self.state.tls is not None:
            for problem in failure.problems:
                self.service.log.warning(problem)

    async def _end(self, reason: str) -> None:
        log = self.service.log
        if reason and not (reason == "lost connection" and self.where == "END-OF-MESSAGE"):
            transaction = self.transaction
            counted = transaction is not None and transaction.writer is not None and self.where in ("DATA", "BDAT")
            octets = transaction.size if transaction is not None and counted else None
            log.info(lines.broken_off(reason, self.where, self.printable, octets))
        self.reset()
        counts = [(name.lower(), self.counts[name][0], self.counts[name][1]) for name in ORDER if name in self.counts]
        log.info(lines.disconnect(self.printable, counts))
        await farewell(self)
        if self.transcript is not None:
            await self.service.transcripts.send(self.transcript, self.printable, reason)

    # What commands use.

    def say(self, octets: bytes) -> None:
        """A positive reply, as it travels."""
        if self.transcript is not None:
            self.transcript.said(octets)
        self.connection.reply(octets)

    def refuse(self, *texts: str) -> bool:
        """A negative reply, each argument a line with its codes. :return: False, for the command to return."""
        said = list(texts)
        if self.service.soft_bounce:
            said = [temporary(line) for line in said]
        if said[0].startswith(("421", "521")):
            self.closing = True
        footer = self.service.footer
        if footer:
            said = footer.add(said, self._footer_attributes())
        octets = wire(said)
        if self.transcript is not None:
            self.transcript.refused(said[0])
            self.transcript.said(octets)
        self.connection.reply(octets)
        return False

    def reject(self, reply: Reply) -> bool:
        """Refuse and log, as for an access check that says no. :return: False."""
        said = reply_lines(reply)
        self.log_rejection(said[0])
        if self.transcript is not None:
            self.transcript.refusing = "software" if said[0] == _MISCONFIGURED else "policy"
        return self.refuse(*said)

    def data_error(self) -> bool:
        """A table that the session cannot do without fails, so the session ends. :return: False."""
        text = f"421 4.3.0 {self.service.hostname} Server local data error"
        self.service.log.info(f"NOQUEUE: reject: {self.where} from {self.printable}: {text}")
        return self.refuse(text)

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
                if action == "warning":
                    self.service.log.warning(text)
                elif action:
                    self.log_rejection(text, action)
                else:
                    self.service.log.info(text)
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
        if self.client.sasl_sender:
            self.set_client(replace(self.client, sasl_sender=""))
        state = self.state
        state.envelope = None
        state.recipient = state.queue_id = state.instance = ""
        state.recipient_count = state.size = 0

    def delivered(self) -> None:
        """A message has been taken: errors are forgiven."""
        self.errors = self.junk = 0
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
            "recipient": transaction.first if transaction is not None else "",
        }
