"""What the scheduler is busy with, as plain data for tools: by transport and by destination, with ages as qshape(1)."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from mailer.schedule.scheduler import Scheduler
from mailer.schedule.transport import Transport

__all__ = ["DestinationStatus", "QueueStatus", "TransportStatus", "survey"]

#: qshape's columns: messages up to so many minutes in the active queue; a last column takes the rest.
AGES = (5, 10, 20, 40, 80, 160, 320, 640, 1280)


@dataclass
class DestinationStatus:
    """``window`` deliveries are allowed at a time, ``busy`` are under way; ``waiting`` recipients are not handed out yet,
    ``ages`` has them by time since activation (see AGES). ``suspended`` is the reason, "" when it is not."""

    name: str
    window: int
    busy: int
    waiting: int
    suspended: str = ""
    ages: list[int] = field(default_factory=lambda: [0] * (len(AGES) + 1))


@dataclass
class TransportStatus:
    """``processes`` deliveries are allowed at a time (0: no limit)."""

    name: str
    processes: int
    busy: int
    waiting: int
    suspended: str
    destinations: list[DestinationStatus]


@dataclass
class QueueStatus:
    """``messages`` are in the active queue, with ``recipients`` of theirs in memory."""

    messages: int
    recipients: int
    transports: list[TransportStatus]


def survey(scheduler: Scheduler, messages: int, now: float) -> QueueStatus:
    """A snapshot. :param now: in the scheduler's time."""
    transports = [_transport(transport, now) for _, transport in sorted(scheduler.transports.items())]
    return QueueStatus(messages, scheduler.in_core, transports)


def _transport(transport: Transport, now: float) -> TransportStatus:
    destinations = []
    for name, queue in sorted(transport.queues.items()):
        status = DestinationStatus(name, queue.window, queue.busy, queue.waiting, _reason(queue.reason))
        for line in queue.lines.values():
            for peer in line.peers:
                minutes = (now - peer.job.message.enqueued) / 60
                status.ages[bisect_left(AGES, minutes)] += len(peer.recipients)
        destinations.append(status)
    return TransportStatus(
        transport.name,
        transport.limits.processes,
        transport.busy,
        transport.waiting,
        _reason(transport.reason),
        destinations,
    )


def _reason(reason: tuple[str, str] | None) -> str:
    return " ".join(reason) if reason else ""
