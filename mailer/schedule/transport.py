"""One transport: which recipients go next.

The rule is nqmgr's (SCHEDULER_README, "Preemptive scheduling"): jobs in order of arrival; whatever destination cannot take
more is passed over; destinations of one job take turns; and a big job lets small ones slip past. For every ``slot_cost``
deliveries of the current job one *slot* becomes free for others; a job that needs no more slots than the current one will
ever have is a candidate, the best candidate is the one with the greatest age divided by its deliveries, and it goes first
as soon as its slots, less what ``slot_discount`` and ``slot_loan`` advance, are there. Candidates are looked for at the
head of each lane, not along the whole list of jobs: within a lane sizes differ by less than two, so the eldest is the best.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from mailer.schedule.destination import DestinationQueue
from mailer.schedule.job import Entry, Job, Message, Peer
from mailer.schedule.lane import Lane, Line
from mailer.schedule.limits import Limits

__all__ = ["Transport"]

_LANES = 24

#: How many destinations of a preempting job are looked at for one that can go.
_GLANCE = 32


class Transport:
    """``busy`` deliveries are under way, ``waiting`` recipients are not handed out yet, ``in_core`` counts both kinds of
    recipients. ``reason`` (status, text) is set while the transport as a whole is suspended; ``paused`` while its rate
    delay runs. ``selected`` and ``preempted`` count entries and preemptions since the start."""

    __slots__ = (
        "alarm",
        "busy",
        "in_core",
        "lanes",
        "limits",
        "name",
        "paused",
        "preempted",
        "queues",
        "reason",
        "selected",
        "stack",
        "waiting",
    )

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self.queues: dict[str, DestinationQueue] = {}
        self.lanes: dict[int, Lane] = {}
        self.stack: list[Job] = []  # jobs that preempt others, the latest last
        self.busy = 0
        self.waiting = 0
        self.in_core = 0
        self.selected = 0
        self.preempted = 0
        self.paused = False
        self.reason: tuple[str, str] | None = None
        self.alarm = 0

    # -- what waits

    def queue(self, name: str, nexthop: str) -> DestinationQueue:
        """The destination of that name; a new one if there is none."""
        queue = self.queues.get(name)
        if queue is None:
            queue = self.queues[name] = DestinationQueue(self, name, nexthop, self.limits.initial_concurrency)
        return queue

    def forget_if_idle(self, queue: DestinationQueue) -> None:
        if queue.idle and self.queues.get(queue.name) is queue:
            del self.queues[queue.name]
            queue.lines.clear()

    def job(self, message: Message, entries: int) -> Job:
        """The message's job here; a new one is of the size that ``entries`` and what is unread amount to."""
        job = message.jobs.get(self.name)
        if job is None:
            size = min((entries + message.unread).bit_length() - 1, _LANES)
            job = message.jobs[self.name] = Job(message, self, max(size, 0))
        return job

    def _limit(self, message: Message) -> int:
        """The most recipients of one delivery, 0 for no limit."""
        return 1 if message.single else self.limits.recipient_limit

    def batches(self, message: Message, recipients: int) -> int:
        """How many deliveries so many recipients of one destination take."""
        limit = self._limit(message)
        return -(-recipients // limit) if limit else min(recipients, 1)

    def add(self, job: Job, queue: DestinationQueue, recipients: list[Any]) -> None:
        """More recipients of a job wait for a destination. The list is taken over."""
        count = len(recipients)
        peer = job.peers.get(queue)
        if peer is not None:
            job.entries -= self.batches(job.message, len(peer.recipients))
            peer.recipients += recipients
            job.entries += self.batches(job.message, len(peer.recipients))
        else:
            job.entries += self.batches(job.message, count)
            line = queue.lines.get(job.lane)
            if line is None:
                lane = self.lanes.get(job.lane)
                if lane is None:
                    lane = self.lanes[job.lane] = Lane()
                line = queue.lines[job.lane] = Line(lane, queue)
            peer = job.peers[queue] = Peer(job, line, recipients)
            line.add(peer)
        job.waiting += count
        queue.waiting += count
        self.waiting += count
        self.in_core += count

    def withdraw(self, peer: Peer) -> list[Any]:
        """Take a peer's recipients back. :return: them."""
        recipients, peer.recipients = peer.recipients, []
        job, queue, count = peer.job, peer.line.queue, len(recipients)
        job.peers.pop(queue, None)
        job.entries -= self.batches(job.message, count)
        job.waiting -= count
        queue.waiting -= count
        self.waiting -= count
        self.in_core -= count
        return recipients

    def drain(self, queue: DestinationQueue) -> list[tuple[Message, list[Any]]]:
        """Take back all that waits for a destination, in order."""
        peers = [peer for line in queue.lines.values() for peer in line.peers if peer.recipients]
        peers.sort(key=lambda peer: peer.job.order)
        return [(peer.job.message, self.withdraw(peer)) for peer in peers]

    def reopened(self, queue: DestinationQueue) -> None:
        """The destination may have room again."""
        if queue.open:
            for line in queue.lines.values():
                if not line.listed:
                    line.list()

    # -- what goes

    def select(self, now: float) -> Entry | None:
        """The next delivery, counted as under way from here on; None if nothing can go now."""
        limits = self.limits
        if not self.waiting or self.paused or self.reason or (limits.processes and self.busy >= limits.processes):
            return None
        peer, line = self._current()
        if peer is None:
            return None
        if peer.job.lane and limits.slot_cost:
            candidate = self._candidate(peer.job, now)
            if candidate is not None:
                peer, line = self._preempt(peer.job, candidate), None
        return self._take(peer, line)

    def _current(self) -> tuple[Peer | None, Line | None]:
        """The next peer of the latest preempting job that can go, else of the eldest job that can go, with its line."""
        stack = self.stack
        while stack:
            job = stack[-1]
            for peer in islice(job.peers.values(), _GLANCE):
                if peer.line.queue.open:
                    return peer, None
            # Done, or held up: then it has had its turn, and may come again as any other.
            stack.pop()
            job.preempted = None
        best: Line | None = None
        for lane in self.lanes.values():
            line = lane.first()
            if line is not None and (best is None or line.peers[0].job.order < best.peers[0].job.order):
                best = line
        return (best.peers[0], best) if best is not None else (None, None)

    def _candidate(self, current: Job, now: float) -> Peer | None:
        """The next peer of the job that may slip in before ``current``, if the slots that it needs are there."""
        limits = self.limits
        cost, unread = limits.slot_cost, current.message.unread
        ever = (current.taken + current.entries + self.batches(current.message, unread)) // cost - current.spent
        if ever <= limits.minimum_slots:
            return None
        best, most, needed = None, -1.0, 0
        for number, lane in self.lanes.items():
            line = lane.first() if number < current.lane else None
            if line is None:
                continue
            job = line.peers[0].job
            entries = job.entries + job.message.unread
            worth = (now - job.message.enqueued + 1.0) / entries
            if entries <= ever and worth > most and job.preempted is None:
                best, most, needed = line.peers[0], worth, entries
        available = current.taken - cost * current.spent
        if available < cost * (needed * (100 - limits.slot_discount) / 100 - limits.slot_loan):
            return None
        return best

    def _preempt(self, current: Job, candidate: Peer) -> Peer:
        self.preempted += 1
        candidate.job.preempted = current
        self.stack.append(candidate.job)
        return candidate

    def _take(self, peer: Peer, line: Line | None) -> Entry:
        job, queue, limit = peer.job, peer.line.queue, self._limit(peer.job.message)
        recipients = peer.recipients
        if limit and len(recipients) > limit:
            recipients = recipients[:limit]
            del peer.recipients[:limit]
            if line is None:
                job.peers[queue] = job.peers.pop(queue)  # a preempting job's destinations take turns, too
        else:
            peer.recipients = []
            del job.peers[queue]
        if line is not None:
            line.lane.rotate(line)
        if job.preempted is not None:
            job.preempted.spent += 1
        count = len(recipients)
        job.waiting -= count
        job.entries -= 1
        job.taken += 1
        queue.waiting -= count
        queue.busy += 1
        self.waiting -= count
        self.busy += 1
        self.selected += 1
        return Entry(job, queue, recipients)
