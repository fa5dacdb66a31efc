"""The queue manager: takes messages up from the queue, has them delivered, and settles what became of them.

qmgr(8) in one object. It knows no protocol and no content; it introduces the algorithm to the queue, to addressing and to
the transports, and keeps the one rule that nothing leaves the queue before its fate is settled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailer.message.envelope import Recipient
from mailer.message.status import Fate, MailError, Outcome
from mailer.net.driver import Driver
from mailer.schedule.active import ActiveMessage
from mailer.schedule.admission import Admission
from mailer.schedule.clog import Clog
from mailer.schedule.completion import Completion
from mailer.schedule.delivery import Delivery, Desk
from mailer.schedule.dispatch import Dispatch, TransportEntry
from mailer.schedule.intake import Intake
from mailer.schedule.limits import Limits, limits
from mailer.schedule.logline import DeliveryLine
from mailer.schedule.refill import Refill
from mailer.schedule.retry import Patience
from mailer.schedule.routing import DROP, Routing
from mailer.schedule.scheduler import Place, Scheduler
from mailer.schedule.status import QueueStatus, survey

__all__ = ["Qmgr", "TransportEntry"]

_faults = Logger()

#: Recipients that an entry brings along at most.
_PORTION = 1000

_DROPPED = Outcome.sent("undeliverable postmaster notification discarded")


class Qmgr:
    """:param context: mailer.interfaces.context.Context of the service ``qmgr``. :param queue: IQueue.
    :param addressing: IAddressing. :param reporter: IReporter. :param verifier: told of address probes (see Desk).
    :param transports: by master.cf service name; ``error`` and ``retry`` are among them. They belong to the caller, who
        stops them after the queue manager.
    """

    def __init__(
        self,
        context: Any,
        queue: Any,
        addressing: Any,
        transports: Mapping[str, TransportEntry],
        reporter: Any,
        verifier: Any = None,
    ) -> None:
        settings, log = context.settings, context.log
        self._queue = queue
        self._verifier = verifier
        self._reactor = context.reactor
        self._seconds: Callable[[], float] = context.seconds
        self._active: dict[str, ActiveMessage] = {}
        self._settling = 0
        self._stopping = False
        self._drained: Deferred[None] | None = None
        limits_of = _limits_of(settings, transports, log)
        most = settings.qmgr_message_recipient_limit
        trace = log.info if settings.destination_concurrency_feedback_debug else None
        self._scheduler = Scheduler(limits_of, most, trace)
        self._dispatch = Dispatch(context, self._scheduler, transports, limits_of)
        self._admission = Admission(queue, context, self._admitted)
        self._configure(context, addressing, reporter)
        self._intake = Intake(
            queue,
            context,
            self._active,
            settings.qmgr_message_active_limit,
            float(settings.queue_run_delay),
            self._activate,
        )

    def _configure(self, context: Any, addressing: Any, reporter: Any) -> None:
        """Whatever depends on settings and holds no state."""
        settings, log = context.settings, context.log
        self._log = log
        self._cleared: bool = settings.confirm_delay_cleared
        self._line = DeliveryLine(
            settings.delay_logging_resolution_limit, settings.info_log_address_format == "external"
        )
        self._sender = self._line.shown
        most, minimum = settings.qmgr_message_recipient_limit, settings.qmgr_message_recipient_minimum
        self._refill = Refill(self._scheduler, most, minimum)
        self._dispatch.desk = Desk(
            self._queue,
            self._line,
            log,
            self._seconds,
            self._ended,
            self._dispatch.log_of,
            settings.soft_bounce,
            self._verifier,
        )
        warned = settings.qmgr_clog_warn_time if settings.helpful_warnings else 0.0
        self._dispatch.clog = Clog(log, warned, settings.qmgr_message_active_limit, lambda: len(self._active))
        patience = Patience.from_settings(settings, log.warning)
        self._completion = Completion(self._queue, reporter, patience, log, self._seconds, self._sender)
        self._trouble_seconds = patience.minimal
        self._admission.place = Routing(settings, addressing, self._one_each, log.warning).place

    def reconfigure(
        self, context: Any, addressing: Any, transports: Mapping[str, TransportEntry], reporter: Any
    ) -> None:
        """Go on with a new configuration. What is under way ends with the old transports; windows, dead destinations and
        what is in memory stay as they are."""
        limits_of = _limits_of(context.settings, transports, context.log)
        self._scheduler.renew(limits_of)
        self._dispatch.renew(transports, limits_of)
        self._configure(context, addressing, reporter)
        self._intake.renew(context.settings.qmgr_message_active_limit, float(context.settings.queue_run_delay))
        self._dispatch.pump_all(list(self._scheduler.transports.values()))

    def _one_each(self, name: str) -> bool:
        return self._scheduler.transport(name).limits.recipient_limit == 1

    # -- for its owner

    async def start(self) -> None:
        """Begin to take up mail; what was left from an earlier run comes first."""
        self._intake.open()
        self._queue.subscribe(self, _PORTION)
        self._intake.due(False)

    async def stop(self, patience: float = 20.0) -> None:
        """Start nothing more, give back what has not been started, and wait for what is under way, but no longer than
        ``patience`` seconds; then for the store. What is not finished by then is delivered after the next start."""
        self._stopping = True
        self._intake.stop()
        self._dispatch.stop()
        for message in list(self._active.values()):
            self._take_back(message)
        if self._dispatch.under_way or self._settling:
            self._drained = Deferred()
            timer = self._reactor.callLater(patience, self._release)
            await self._drained
            if timer.active():
                timer.cancel()
        await self._queue.flushed()

    def _release(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None:
            drained.callback(None)

    async def flush(self, queue_ids: Iterable[str] | None = None, domain: str | None = None) -> int:
        """Try deferred mail now: all, the entries named, or those for a domain; also what is thought dead, and whatever
        defer_transports says. :return: how many entries became due."""
        count: int = await self._queue.flush(queue_ids, domain)
        return count

    def status(self) -> QueueStatus:
        """What the active queue holds, for tools."""
        return survey(self._scheduler, len(self._active), self._seconds())

    # -- the store's consumer

    def room(self) -> bool:
        return self._intake.room()

    def arrived(self, entry: Any) -> None:
        self._activate(entry, False)

    def due(self, flush: bool) -> None:
        if flush:
            self._dispatch.forgive()
        self._intake.due(flush)

    def withdrawn(self, queue_ids: Iterable[str]) -> None:
        for queue_id in queue_ids:
            message = self._active.get(queue_id)
            if message is not None and not message.withdrawn:
                message.withdrawn = True
                self._take_back(message)

    def _take_back(self, message: ActiveMessage) -> None:
        """Start no further delivery of a message."""
        was_finished = message.finished
        message.kept += len(self._scheduler.withdraw(message)) + message.unread
        message.unread = 0
        if message.kept or message.reading:
            message.withdrawn = True
        if message.finished and not was_finished:
            self._finish(message)

    # -- a message's way

    def _activate(self, entry: Any, flushing: bool) -> None:
        queue_id = entry.queue_id
        if queue_id in self._active:
            self._log.warning(f"{queue_id}: skipped, still being delivered")
            return
        message = ActiveMessage(self._scheduler.next_order(), self._seconds(), entry, flushing, self._cleared)
        self._active[queue_id] = message
        self._log.info(
            f"{queue_id}: from=<{self._sender(entry.envelope.sender)}>, size={entry.size}, nrcpt={entry.nrcpt}"
            " (queue active)"
        )
        recipients = entry.recipients
        first = self._refill.first(len(recipients))
        if first < len(recipients):
            recipients = entry.recipients = recipients[:first]
        message.unread = entry.pending - len(recipients)
        if recipients:
            message.cursor = recipients[-1].id
        self._admission.admit(message, recipients)

    def _admitted(self, message: ActiveMessage, groups: dict[Place, list[Recipient]]) -> None:
        message.reading = False
        if message.withdrawn:
            message.kept += sum(map(len, groups.values())) + message.unread
            message.unread = 0
            groups = {}
        dropped = groups.pop(DROP, None)
        if dropped:
            self._drop(message, dropped)
        if groups:
            self._dispatch.assign(message, groups)
        else:
            self._proceed(message)

    def _drop(self, message: ActiveMessage, recipients: list[Recipient]) -> None:
        """Mail to the local double-bounce address: a notice about a notice that nobody can have."""
        now, entry = self._seconds(), message.entry
        outcome = replace(_DROPPED, fate=Fate.DELIVERABLE) if message.probe else _DROPPED
        for recipient in recipients:
            line = self._line(entry.queue_id, recipient, outcome, entry.arrival, message.enqueued, now, now)
            self._log.info(line)
            if message.verification and self._verifier is not None:
                self._verifier.told(recipient, outcome)
        self._queue.record(entry.queue_id, [(recipient.id, outcome) for recipient in recipients])

    def _ended(self, delivery: Delivery) -> None:
        message = delivery.message
        touched = self._dispatch.ended(delivery)
        if not (message.finished and message.uneventful):
            delivery.save()
        self._proceed(message)
        self._dispatch.pump_all(touched)
        self._check_drained()

    def _proceed(self, message: ActiveMessage) -> None:
        """Some of a message's recipients have their fates: is it time for more, or for the end?"""
        if message.finished:
            self._finish(message)
        elif message.unread and not message.reading:
            wanted = self._refill.more(message, self._seconds(), message.last_read)
            if wanted:
                self._admission.more(message, wanted)

    # -- the end of a pass

    def _finish(self, message: ActiveMessage) -> None:
        message.jobs.clear()
        if message.uneventful:
            self._completion.remove(message.entry.queue_id)
            self._gone(message)
        else:
            self._settling += 1
            Driver(self._settle(message), partial(self._settled, message)).resume()

    async def _settle(self, message: ActiveMessage) -> None:
        again = await self._completion.settle(message)
        if again is not None:
            self._intake.deferred_until(again)

    def _settled(self, message: ActiveMessage, error: BaseException | None) -> None:
        self._settling -= 1
        if error is None:
            self._gone(message)
        else:
            queue_id = message.entry.queue_id
            if not isinstance(error, MailError):
                _faults.error("settling {queue_id} failed: {error!r}", queue_id=queue_id, error=error)
            self._log.warning(f"{queue_id}: the sender cannot be notified now: {error}")
            if not self._stopping:
                self._reactor.callLater(self._trouble_seconds, self._finish, message)
        self._check_drained()

    def _gone(self, message: ActiveMessage) -> None:
        del self._active[message.entry.queue_id]
        self._intake.freed()

    def _check_drained(self) -> None:
        if self._drained is not None and not (self._dispatch.under_way or self._settling):
            self._release()


def _limits_of(settings: Any, transports: Mapping[str, TransportEntry], log: Any) -> Callable[[str], Limits]:
    """The limits of a transport by name, of one that master.cf lacks as well."""

    def limits_of(name: str) -> Limits:
        entry = transports.get(name)
        return entry.limits if entry is not None else limits(settings, name, 0, log.warning)

    return limits_of
