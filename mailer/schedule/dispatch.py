"""Hands entries to transports when the algorithm says so, takes their results back, and keeps the algorithm's alarms.

Knows deliveries, not messages: whether a message is finished is `qmgr`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zope.interface import implementer

from mailer.interfaces.transport import ITransport
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.message.status import Outcome
from mailer.schedule.active import ActiveMessage
from mailer.schedule.clog import Clog
from mailer.schedule.delivery import Delivery, Desk
from mailer.schedule.limits import Limits
from mailer.schedule.scheduler import RETRY, Place, Scheduler
from mailer.schedule.traffic import Traffic
from mailer.schedule.transport import Transport

__all__ = ["Dispatch", "TransportEntry"]

#: Deliveries started in one go before the reactor gets its turn.
_BURST = 100

_UNAVAILABLE = ("4.3.0", "mail transport unavailable")


@dataclass(frozen=True)
class TransportEntry:
    """A transport as master.cf sets it up: the ITransport, the service's own log (``postfix/smtp[123]``), its limits
    (``mailer.schedule.limits.limits`` with the service's maxproc)."""

    transport: Any
    log: Any
    limits: Limits


class Dispatch:
    """``under_way`` counts deliveries.

    :param scheduler: a Scheduler. :param desk: what deliveries share; its ``ended`` ends here: `ended`.
    """

    def __init__(
        self,
        context: Any,
        scheduler: Scheduler,
        transports: Mapping[str, TransportEntry],
        limits: Callable[[str], Limits],
    ) -> None:
        self._scheduler = scheduler
        self._reactor = context.reactor
        self._seconds: Callable[[], float] = context.seconds
        self._log = context.log
        self.renew(transports, limits)
        self._traffic = Traffic()
        self._pumping: set[Transport] = set()
        self._alarm: Any = None
        self._alarm_at = float("inf")
        self._stopped = False
        self.desk: Desk  # set by the owner, before anything is assigned, and so is
        self.clog: Clog
        self.under_way = 0

    def renew(self, transports: Mapping[str, TransportEntry], limits: Callable[[str], Limits]) -> None:
        """From now on deliveries go to these; those that were missing are looked for again."""
        self._transports = dict(transports)
        self._transports.setdefault(RETRY, TransportEntry(_Deferring(), self._log, limits(RETRY)))

    def log_of(self, name: str) -> Any:
        """Where a transport's service logs, None if there is no such one."""
        entry = self._transports.get(name)
        return entry.log if entry is not None else None

    def stop(self) -> None:
        """Start nothing more."""
        self._stopped = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def assign(self, message: ActiveMessage, groups: dict[Place, list[Recipient]]) -> None:
        for name, _, _ in groups:
            if name not in self._transports:
                self._missing(self._scheduler.transport(name))
        self.pump_all(self._scheduler.assign(message, groups))

    def forgive(self) -> None:
        """Try again what is thought dead."""
        self._scheduler.forgive()
        self.pump_all(list(self._scheduler.transports.values()))

    def pump_all(self, transports: Iterable[Transport]) -> None:
        for transport in transports:
            self._pump(transport)

    def _pump(self, transport: Transport) -> None:
        """Start what can go now. A delivery that ends at once comes back here, and is served by the loop under way."""
        if self._stopped or transport in self._pumping:
            return
        entry = self._transports.get(transport.name)
        if entry is None:
            self._missing(transport)
            return
        self._pumping.add(transport)
        try:
            for _ in range(_BURST):
                now = self._seconds()
                selected = transport.select(now)
                if selected is None:
                    return
                queue = selected.queue
                self.under_way += 1
                if queue.waiting > self.clog.long:
                    self.clog.look(transport, queue, now)
                much = self._traffic.started((transport.name, queue.name), now)
                busy = much or queue.waiting > 0 or now - queue.last_done <= 1.0
                Delivery(self.desk, selected, entry.log).start(entry.transport, busy)
        finally:
            self._pumping.discard(transport)
        self._reactor.callLater(0, self._pump, transport)

    def _missing(self, transport: Transport) -> None:
        """One that master.cf does not have."""
        if transport.reason is None:
            self._log.warning(f"connect to transport private/{transport.name}: No such file or directory")
            self._suspend(transport)

    def _suspend(self, transport: Transport) -> None:
        self.pump_all(self._scheduler.suspend(transport, _UNAVAILABLE, self._seconds()))
        self._set_alarm()

    def ended(self, delivery: Delivery) -> list[Transport]:
        """A delivery is over. :return: the transports to pump once its message has been seen to."""
        self.under_way -= 1
        transport: Transport = delivery.entry.job.transport
        touched = self._scheduler.done(delivery.entry, self._seconds(), delivery.failure)
        if delivery.unavailable:
            self._suspend(transport)
        limits = transport.limits
        if delivery.failure is not None or limits.rate_delay or limits.transport_rate_delay:
            self._set_alarm()
        return touched

    def _set_alarm(self) -> None:
        when = self._scheduler.next_alarm()
        if when is None or when >= self._alarm_at or self._stopped:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = when
        self._alarm = self._reactor.callLater(max(0.0, when - self._seconds()), self._wake)

    def _wake(self) -> None:
        self._alarm = None
        self._alarm_at = float("inf")
        self.pump_all(self._scheduler.wake(self._seconds()))
        self._set_alarm()


@implementer(ITransport)
class _Deferring:
    """Stands in for ``retry`` where master.cf has no such service: the queue manager defers by itself."""

    async def deliver(self, request: DeliveryRequest, outcomes: Any) -> None:
        status, _, text = request.nexthop.partition(" ")
        outcome = Outcome.deferred(text, status)
        for recipient in request.recipients:
            outcomes.tell(recipient, outcome)

    async def stop(self) -> None:
        """Nothing to give back."""
