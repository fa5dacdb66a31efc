"""Messages as the algorithm sees them: who waits for what. Words as in SCHEDULER_README.

A message has one *job* for each transport that its recipients need, a job has one *peer* for each destination, and a peer
holds recipients that wait. An *entry* is a peer's next batch of recipients on its way through a transport.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mailer.schedule.destination import DestinationQueue
    from mailer.schedule.lane import Line
    from mailer.schedule.transport import Transport

__all__ = ["Entry", "Job", "Message", "Peer"]


class Message:
    """``order`` is its place in the order of activation, ``enqueued`` when that was.

    ``single``: each recipient needs a delivery of its own.
    ``outstanding`` counts recipients in memory without a fate, ``unread`` those that are still in the store only.
    """

    __slots__ = ("enqueued", "jobs", "order", "outstanding", "single", "unread")

    def __init__(self, order: int, enqueued: float, unread: int = 0) -> None:
        self.order = order
        self.enqueued = enqueued
        self.unread = unread
        self.single = False
        self.outstanding = 0
        self.jobs: dict[str, Job] = {}


class Job:
    """A message within one transport.

    ``waiting`` counts recipients not yet handed out, ``entries`` the deliveries that they will take, ``taken`` those handed
    out so far, ``spent`` the delivery slots that others have used while they preempted this job; ``preempted`` is the job
    that pays while this one preempts it; ``lane`` is its size class.
    """

    __slots__ = (
        "entries",
        "lane",
        "message",
        "order",
        "peers",
        "preempted",
        "spent",
        "taken",
        "transport",
        "waiting",
    )

    def __init__(self, message: Message, transport: Transport, lane: int) -> None:
        self.message = message
        self.transport = transport
        self.order = message.order
        self.lane = lane
        self.waiting = 0
        self.entries = 0
        self.taken = 0
        self.spent = 0
        self.preempted: Job | None = None
        self.peers: dict[DestinationQueue, Peer] = {}


class Peer:
    """The recipients of one job that wait for one destination."""

    __slots__ = ("job", "line", "recipients")

    def __init__(self, job: Job, line: Line, recipients: list[Any]) -> None:
        self.job = job
        self.line = line
        self.recipients = recipients


class Entry:
    """Recipients of one message on their way to one destination: one delivery."""

    __slots__ = ("job", "message", "queue", "recipients")

    def __init__(self, job: Job, queue: DestinationQueue, recipients: list[Any]) -> None:
        self.job = job
        self.message = job.message
        self.queue = queue
        self.recipients = recipients
