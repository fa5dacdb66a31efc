"""All transports together: assigning recipients, taking results, suspending what is unreachable, waking it up.

Pure: time is an argument, and whatever must happen later is asked for with `next_alarm` and done by `wake`. Recipients and
messages are opaque. Mail for something that is suspended is handed to the transport ``retry`` at once, with the reason as
its nexthop, as qmgr(8) does; so every recipient always ends as an entry of some transport.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mailer.schedule.alarms import Alarms
from mailer.schedule.destination import DestinationQueue
from mailer.schedule.job import Entry, Message
from mailer.schedule.limits import Limits
from mailer.schedule.transport import Transport

__all__ = ["RETRY", "Place", "Scheduler"]

#: The transport that defers everything, its nexthop being the reason.
RETRY = "retry"

#: Transport, name of the destination's queue, nexthop.
Place = tuple[str, str, str]


class Scheduler:
    """``in_core`` counts the recipients in memory that have no fate yet.

    :param limits: the limits of a transport by its name. Asked once for each.
    :param most_dead: how many suspended destinations are remembered (qmgr_message_recipient_limit).
    :param trace: destination_concurrency_feedback_debug: is given lines for the log.
    """

    def __init__(
        self, limits: Callable[[str], Limits], most_dead: int = 20000, trace: Callable[[str], None] | None = None
    ) -> None:
        self._limits = limits
        self._most_dead = most_dead
        self._trace = trace
        self._alarms = Alarms()
        self._order = 0
        self._dead: dict[DestinationQueue, None] = {}  # in the order of their death
        self.in_core = 0
        self.transports: dict[str, Transport] = {}

    def renew(self, limits: Callable[[str], Limits]) -> None:
        """Limits have changed; windows adapt from where they are."""
        self._limits = limits
        for name, transport in self.transports.items():
            transport.limits = limits(name)

    def next_order(self) -> int:
        """A new message's place."""
        self._order += 1
        return self._order

    def transport(self, name: str) -> Transport:
        transport = self.transports.get(name)
        if transport is None:
            transport = self.transports[name] = Transport(name, self._limits(name))
        return transport

    # -- recipients in

    def assign(self, message: Message, groups: dict[Place, list[Any]]) -> list[Transport]:
        """Recipients of a message wait from here on. The lists are taken over.

        :return: the transports that may have something to do.
        """
        if len(groups) == 1:
            (place,) = groups
            recipients = groups[place]
            self._count(message, len(recipients))
            transport, queue = self._locate(place)
            job = transport.job(message, transport.batches(message, len(recipients)))
            transport.add(job, queue, recipients)
            return [transport]
        located: dict[tuple[Transport, DestinationQueue], list[Any]] = {}
        entries: dict[Transport, int] = {}
        for place, recipients in groups.items():
            self._count(message, len(recipients))
            # Two destinations that are dead for the same reason become one of transport retry.
            known = located.setdefault(self._locate(place), recipients)
            if known is not recipients:
                known += recipients
        for (transport, _), recipients in located.items():
            entries[transport] = entries.get(transport, 0) + transport.batches(message, len(recipients))
        for (transport, queue), recipients in located.items():
            transport.add(transport.job(message, entries[transport]), queue, recipients)
        return list(entries)

    def _count(self, message: Message, recipients: int) -> None:
        message.outstanding += recipients
        self.in_core += recipients

    def _locate(self, place: Place) -> tuple[Transport, DestinationQueue]:
        """The destination, or the one of transport retry that stands for it while it is suspended."""
        name, queue_name, nexthop = place
        transport = self.transport(name)
        if transport.reason is not None and name != RETRY:
            return self._retry(*transport.reason)
        queue = transport.queue(queue_name, nexthop)
        if queue.reason is not None and name != RETRY:
            return self._suspended(queue.reason)
        return transport, queue

    def _retry(self, status: str, text: str) -> tuple[Transport, DestinationQueue]:
        transport = self.transport(RETRY)
        reason = f"{status} {text}"
        return transport, transport.queue(reason, reason)

    def _suspended(self, reason: tuple[str, str]) -> tuple[Transport, DestinationQueue]:
        return self._retry(reason[0], f"delivery temporarily suspended: {reason[1]}")

    def withdraw(self, message: Message) -> list[Any]:
        """No delivery of this message is to start any more. :return: the recipients that waited."""
        withdrawn = []
        for job in message.jobs.values():
            for peer in list(job.peers.values()):
                withdrawn += job.transport.withdraw(peer)
                job.transport.forget_if_idle(peer.line.queue)
        message.outstanding -= len(withdrawn)
        self.in_core -= len(withdrawn)
        return withdrawn

    # -- results

    def done(self, entry: Entry, now: float, unreachable: tuple[str, str] | None = None) -> list[Transport]:
        """A delivery has ended, and all its recipients have their fates.

        :param unreachable: status and reason when the destination as a whole could not be used.
        :return: the transports that may have something to do.
        """
        queue = entry.queue
        transport: Transport = entry.job.transport
        limits = transport.limits
        was_dead = queue.reason is not None
        if unreachable is not None:
            feedback = queue.failed(limits, unreachable)
        else:
            feedback = queue.succeeded(limits)
            if was_dead:
                self._dead.pop(queue, None)
        if self._trace is not None and (unreachable is not None or feedback is not None or was_dead):
            queue.describe(limits, self._trace, "unthrottle" if unreachable is None else "throttle", feedback)
        count = len(entry.recipients)
        entry.message.outstanding -= count
        self.in_core -= count
        transport.in_core -= count
        transport.busy -= 1
        queue.busy -= 1
        queue.last_done = now
        touched = [transport]
        if queue.reason is not None:
            if not was_dead:
                touched += self._bury(queue, now)
        elif limits.rate_delay > 0:
            queue.paused = True
            self._alarms.set(now + limits.rate_delay, queue)
        else:
            transport.reopened(queue)
        if limits.transport_rate_delay > 0:
            transport.paused = True
            self._alarms.set(now + limits.transport_rate_delay, transport)
        transport.forget_if_idle(queue)
        return touched

    def _bury(self, queue: DestinationQueue, now: float) -> list[Transport]:
        transport: Transport = queue.transport  # type: ignore[assignment]
        self._alarms.set(now + transport.limits.dead_time, queue)
        self._dead[queue] = None
        if len(self._dead) > self._most_dead:
            self._raise(next(iter(self._dead)))
        if queue.reason is None or not queue.waiting:
            return []
        retry, target = self._suspended(queue.reason)
        for message, recipients in transport.drain(queue):
            retry.add(retry.job(message, retry.batches(message, len(recipients))), target, recipients)
        return [retry]

    def suspend(self, transport: Transport, reason: tuple[str, str], now: float) -> list[Transport]:
        """A transport as a whole does not work: leave it alone for transport_retry_time.

        :return: the transports that may have something to do.
        """
        if transport.reason is not None or transport.name == RETRY:
            return []
        transport.reason = reason
        self._alarms.set(now + transport.limits.retry_time, transport)
        if not transport.waiting:
            return []
        retry, target = self._retry(*reason)
        for queue in list(transport.queues.values()):
            for message, recipients in transport.drain(queue):
                retry.add(retry.job(message, retry.batches(message, len(recipients))), target, recipients)
            transport.forget_if_idle(queue)
        return [retry]

    # -- time

    def next_alarm(self) -> float | None:
        return self._alarms.next()

    def wake(self, now: float) -> list[Transport]:
        """Whatever had to wait until now may go on. :return: the transports that may have something to do."""
        touched: dict[Transport, None] = {}
        for target in self._alarms.due(now):
            if isinstance(target, Transport):
                target.paused = False
                target.reason = None
                touched[target] = None
            else:
                touched[self._resume(target)] = None
        return list(touched)

    def _resume(self, queue: DestinationQueue) -> Transport:
        transport: Transport = queue.transport  # type: ignore[assignment]
        if queue.reason is not None:
            self._raise(queue)
        else:
            queue.paused = False
            transport.reopened(queue)
            transport.forget_if_idle(queue)
        return transport

    def _raise(self, queue: DestinationQueue) -> None:
        transport: Transport = queue.transport  # type: ignore[assignment]
        self._dead.pop(queue, None)
        queue.revive(transport.limits.initial_concurrency)
        if self._trace is not None:
            queue.describe(transport.limits, self._trace, "unthrottle", None)
        transport.reopened(queue)
        transport.forget_if_idle(queue)

    def forgive(self) -> None:
        """Forget what is thought dead, transports and destinations (flush)."""
        for transport in self.transports.values():
            transport.reason = None
            if not transport.paused:
                transport.alarm = 0
        for queue in list(self._dead):
            self._raise(queue)
