"""One delivery under way: drives the transport's coroutine, logs and records each recipient's fate.

The coroutine is driven here and not by a Deferred: until it really waits it costs a call. Fates told during one turn of the
coroutine are recorded together at its end; when the delivery ends the message's pass with everybody served, they are not
recorded at all, for the message is about to be removed as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailer.interfaces.transport import IOutcomes, TransportUnavailable
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.message.status import Fate, MailError, Outcome
from mailer.message.verp import return_path
from mailer.schedule.active import ActiveMessage
from mailer.schedule.job import Entry
from mailer.schedule.logline import DeliveryLine

__all__ = ["Delivery", "Desk"]

_faults = Logger()

_UNKNOWN = Outcome.deferred("unknown mail transport error", "4.3.0")
#: Of how many parts of one recipient (an alias' members) a report tells.
_MOST_PARTS = 1000
_PROBED = {
    Fate.SENT: Fate.DELIVERABLE,
    Fate.DEFERRED: Fate.UNDELIVERABLE,
    Fate.BOUNCED: Fate.UNDELIVERABLE,
}


@dataclass(frozen=True)
class Desk:
    """What all deliveries share.

    ``ended(delivery)`` is called when one is over and all its recipients have fates, ``queue`` is the IQueue, ``line``
    formats log lines, ``log`` is the queue manager's own, ``log_of`` gives another transport's or None, ``seconds`` is the
    clock. ``soft_bounce`` turns failures for good into deferrals. ``verifier`` (``word(fate)``, ``told(recipient, outcome)``)
    is told what became of address probes.
    """

    queue: Any
    line: DeliveryLine
    log: Any
    seconds: Callable[[], float]
    ended: Callable[[Delivery], None]
    log_of: Callable[[str], Any]
    soft_bounce: bool = False
    verifier: Any = None


@implementer(IOutcomes)
class Delivery:
    """The IOutcomes of one entry. ``failure`` is status and reason if the nexthop was unreachable; ``unavailable``
    whether the transport itself does not work; ``unrecorded`` the fates that the store has not been told yet."""

    __slots__ = (
        "_coroutine",
        "_desk",
        "_log",
        "_parts",
        "_request",
        "_turn",
        "_untold",
        "entry",
        "failure",
        "message",
        "unavailable",
        "unrecorded",
    )

    def __init__(self, desk: Desk, entry: Entry, log: Any) -> None:
        """:param log: where the transport's service logs."""
        self._desk = desk
        self._log = log
        self.entry = entry
        self.message: ActiveMessage = entry.message  # type: ignore[assignment]
        self._untold = {recipient.id: recipient for recipient in entry.recipients}
        self._turn = False
        self._parts: list[tuple[Recipient, Outcome]] = []
        self.failure: tuple[str, str] | None = None
        self.unavailable = False
        self.unrecorded: list[tuple[int, Outcome]] = []

    def start(self, transport: Any, busy: bool) -> None:
        """:param transport: ITransport. :param busy: whether more mail waits for the nexthop."""
        entry, message, queued = self.entry, self.message, self.message.entry
        envelope = queued.envelope
        if message.single:
            first = entry.recipients[0]
            sender = return_path(envelope.sender, first.original or first.address, envelope.verp)
            envelope = replace(envelope, sender=sender)
        request = DeliveryRequest(
            queued.queue_id,
            envelope,
            queued.content,
            entry.job.transport.name,
            entry.queue.nexthop,
            entry.recipients,
            message.last_read,
            self._desk.seconds(),
            message.probe,
            busy,
            queued.size,
        )
        self._request = request
        self._coroutine = transport.deliver(request, self)
        self._go_on()

    def _go_on(self, fired: Any = None) -> None:
        # A Deferred that has fired still holds its value, where the coroutine finds it; a failure has to be brought.
        self._turn = True
        try:
            failed = isinstance(fired, Failure)
            awaited = self._coroutine.throw(fired.value) if failed else self._coroutine.send(None)
        except StopIteration:
            self._end(None)
        except Exception as error:
            self._end(error)
        else:
            if isinstance(awaited, Deferred):
                self._turn = False
                self.save()
                awaited.addBoth(self._go_on)
            else:
                self._end(TypeError(f"a delivery awaits {awaited!r}, which is no Deferred"))

    # -- IOutcomes

    def tell(self, recipient: Recipient, outcome: Outcome, shown: Recipient | None = None) -> None:
        if self._untold.pop(recipient.id, None) is None:
            _faults.error(
                "{transport} told a fate twice or of a stranger: {queue_id} {recipient} {outcome}",
                transport=self._request.transport,
                queue_id=self._request.queue_id,
                recipient=recipient,
                outcome=outcome,
            )
            return
        desk, message = self._desk, self.message
        word = ""
        if message.probe or desk.soft_bounce:
            outcome, word = self._adapted(outcome)
        self._write(shown or recipient, outcome, word)
        if outcome.text[-1:] == " ":
            # A command's last line end: the log shows it, reports and listings do not.
            outcome = replace(outcome, text=outcome.text.rstrip(), diagnostic=outcome.diagnostic.rstrip())
        message.note(recipient, outcome, shown)
        if self._parts:
            parts, self._parts = self._parts, []
            message.note_parts(parts, outcome.fate)
        if message.verification and desk.verifier is not None:
            desk.verifier.told(recipient, outcome)
        self.unrecorded.append((recipient.id, outcome))
        if not self._turn:
            self.save()

    def partial(self, shown: Recipient, outcome: Outcome) -> None:
        word = ""
        if self.message.probe or self._desk.soft_bounce:
            outcome, word = self._adapted(outcome)
        self._write(shown, outcome, word)
        if len(self._parts) < _MOST_PARTS:
            self._parts.append((shown, outcome))

    def _write(self, recipient: Recipient, outcome: Outcome, word: str) -> None:
        desk, request = self._desk, self._request
        queue_id, arrival = request.queue_id, self.message.entry.arrival
        if self.message.verification and desk.verifier is not None:
            word = desk.verifier.word(outcome.fate)
        log = self._log if not outcome.service else desk.log_of(outcome.service) or self._log
        log.info(
            desk.line(queue_id, recipient, outcome, arrival, request.activated, request.started, desk.seconds(), word)
        )

    def unreachable(self, status: str, reason: str) -> None:
        if self.failure is None:
            self.failure = (status, reason)

    def _adapted(self, outcome: Outcome) -> tuple[Outcome, str]:
        """What a probe or soft_bounce make of an outcome, and the log's word for it, if that is not the fate's own."""
        if self.message.probe:
            return replace(outcome, fate=_PROBED.get(outcome.fate, outcome.fate)), ""
        if outcome.fate is Fate.BOUNCED:
            return replace(outcome, fate=Fate.DEFERRED, status="4" + outcome.status[1:]), "SOFTBOUNCE"
        return outcome, ""

    def save(self) -> None:
        """Tell the store what it does not know yet."""
        if self.unrecorded:
            unrecorded, self.unrecorded = self.unrecorded, []
            self._desk.queue.record(self._request.queue_id, unrecorded)

    # -- the end

    def _end(self, error: Exception | None) -> None:
        self._turn = True
        if error is not None or self._untold:
            outcome = self._outcome(error)
            for recipient in list(self._untold.values()):
                self.tell(recipient, outcome)
        self._desk.ended(self)

    def _outcome(self, error: Exception | None) -> Outcome:
        """What happened to those of whom the transport said nothing."""
        name = self._request.transport
        if isinstance(error, MailError):
            self.unavailable = isinstance(error, TransportUnavailable)
            if self.unavailable:
                self._desk.log.warning(f"connect to transport private/{name}: {error.cause}")
            reply = error.reply
            status = "4" + reply.enhanced[1:] if reply.enhanced else "4.3.0"
            return Outcome.deferred(" ".join(reply.text.split("\n")), status)
        if error is not None:
            _faults.failure(
                "{transport} failed on {queue_id}", Failure(error), transport=name, queue_id=self._request.queue_id
            )
            self.unreachable(_UNKNOWN.status, _UNKNOWN.text)
        self._desk.log.warning(
            f"transport {name} failure -- see a previous warning/fatal/panic logfile record for the problem description"
        )
        return _UNKNOWN
