"""One message on its way through the chain: what its steps share, and how they speak of it in the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from mailer.clean.addresses import AddressRules
from mailer.interfaces.sink import IProducer
from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import MailError, PermanentError, Reply

__all__ = ["Discarded", "Passage", "Step", "Writer"]

#: How much of the content in question a log line shows.
_SHOWN = 200


class Discarded(MailError):
    """A check wants the message to vanish: nothing more is done with it, and the client is told that all is well."""

    def __init__(self) -> None:
        super().__init__(Reply(250, "2.0.0", "Ok"))


class Writer(Protocol):
    """What IMessageWriter promises, for type checkers."""

    queue_id: str

    def recipient(self, recipient: Recipient) -> None: ...
    def write(self, chunk: bytes) -> None: ...
    async def commit(self) -> str: ...
    def abort(self) -> None: ...


class Step(Protocol):
    """One rule of the chain, for all messages. ``open`` wraps a message's next writer into its own."""

    def open(self, passage: Passage, writer: Writer) -> Writer: ...


class Passage:
    """``refusal`` is why the message will not be taken; the steps then let all further content fall.

    ``recipients`` are those told so far, as they came.
    """

    __slots__ = (
        "_rules",
        "_sender",
        "checks_ended",
        "composite",
        "envelope",
        "log",
        "message_id_logged",
        "prepare",
        "producer",
        "queue_id",
        "recipients",
        "refusal",
    )

    def __init__(self, envelope: Envelope, producer: IProducer | None, rules: AddressRules, log: Any) -> None:
        self.envelope = envelope
        self.producer = producer
        self.log = log
        self.queue_id = ""
        self.recipients: list[Recipient] = []
        self.refusal: MailError | None = None
        self.message_id_logged = False
        #: A check has said that no further one is to look at this message.
        self.checks_ended = False
        #: Awaited before the content is looked at: what the envelope needs is asked for first, and may refuse the message.
        self.prepare: Callable[[], Awaitable[None]] | None = None
        #: The Content-Type says that the body has parts.
        self.composite = False
        self._rules = rules
        self._sender: str | None = None

    @property
    def mapped(self) -> bool:
        """Whether addresses are looked up in tables (receive_override_options)."""
        return "no_address_mappings" not in self.envelope.overrides

    @property
    def checked(self) -> bool:
        """Whether header and body checks apply."""
        envelope = self.envelope
        return "no_header_body_checks" not in envelope.overrides and envelope.source != "forward"

    @property
    def copied(self) -> bool:
        """Whether automatic copies are made: of new mail only, so that a copy cannot come round again."""
        return self.mapped and self.envelope.source not in ("notify", "forward")

    async def sender(self) -> str:
        """The envelope sender, rewritten. :raise MailError:"""
        if self._sender is None:
            sender = self.envelope.sender
            self._sender = await self._rules.envelope_sender(sender, self) if sender else sender
        return self._sender

    def refuse(self, error: MailError) -> None:
        """The first refusal counts."""
        if self.refusal is None:
            self.refusal = error

    def note_message_id(self, name: str, message_id: str) -> None:
        """Log a Message-Id or Resent-Message-Id field, given in lower case, with its text."""
        self.log.info(f"{self.queue_id}: {name}={message_id}")
        if name == "message-id":
            self.message_id_logged = True

    async def note(self, action: str, kind: str, content: str, reason: str) -> None:
        """Log what a check did about a piece of content: ``QID: action: kind content from client; ...: reason``."""
        client = self.envelope.client
        parts = [await self._about(action, f"{kind} {content[:_SHOWN]}")]
        if client.protocol:
            parts.append(f" proto={client.protocol}")
        if client.helo:
            parts.append(f" helo=<{client.helo}>")
        if reason:
            parts.append(f": {reason}")
        self.log.info("".join(parts))

    async def malformed(self, error: str, content: str) -> None:
        """Refuse the message because its MIME structure or its octets break a rule, and say so in the log.

        :param error: the rule. :param content: where."""
        self.log.info(await self._about("reject", f"mime-error {error}: {content[:_SHOWN]}"))
        self.refuse(PermanentError(error, "5.6.0"))

    async def _about(self, action: str, what: str) -> str:
        client = self.envelope.client
        origin = client.printable if client.protocol else "local"
        line = f"{self.queue_id}: {action}: {what} from {origin}; from=<{await self.sender()}>"
        if self.recipients:
            line += f" to=<{await self._rules.envelope_recipient(self.recipients[-1].address, self)}>"
        return line
