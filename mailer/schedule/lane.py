"""Jobs of similar size, in order, with those that cannot go now out of the way.

A transport keeps its jobs in *lanes* by size (powers of two). Within a lane every destination has a *line* of peers in job
order; a heap holds the lines that may go, by the job at their head. So "the first job that is not blocked" costs a look at
the top of a heap, however many jobs wait for slow destinations; a line whose destination has no room is dropped from the
heap when it comes to the top and put back when the destination has room again.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush, heapreplace
from typing import TYPE_CHECKING

from mailer.schedule.job import Peer

if TYPE_CHECKING:
    from mailer.schedule.destination import DestinationQueue

__all__ = ["Lane", "Line"]


class Line:
    """The peers of one destination in one lane. ``listed``: whether the lane's heap holds it."""

    __slots__ = ("lane", "listed", "peers", "queue")

    def __init__(self, lane: Lane, queue: DestinationQueue) -> None:
        self.lane = lane
        self.queue = queue
        self.peers: deque[Peer] = deque()
        self.listed = False

    def add(self, peer: Peer) -> None:
        """Put a peer where its job belongs: nearly always at the end. (Only a job that is read in pieces comes again.)"""
        peers, order = self.peers, peer.job.order
        if not peers or peers[-1].job.order < order:
            peers.append(peer)
        else:
            place = next(index for index, other in enumerate(peers) if other.job.order >= order)
            peers.insert(place, peer)
        if self.queue.open:
            self.list()

    def list(self) -> None:
        """Offer it for selection."""
        if not self.listed and self.peers:
            self.listed = True
            lane = self.lane
            lane.serial += 1
            heappush(lane.heap, (self.peers[0].job.order, lane.serial, self))


class Lane:
    """The heap of one size class: ``(order of the first job, serial, line)``."""

    __slots__ = ("heap", "serial")

    def __init__(self) -> None:
        self.heap: list[tuple[int, int, Line]] = []
        self.serial = 0

    def first(self) -> Line | None:
        """The line with the first job that can go now."""
        heap = self.heap
        while heap:
            order, _, line = heap[0]
            peers = line.peers
            while peers and not peers[0].recipients:
                peers.popleft()
            if not peers or not line.queue.open:
                heappop(heap)
                line.listed = False
                continue
            actual = peers[0].job.order
            if actual == order:
                return line
            self.serial += 1
            heapreplace(heap, (actual, self.serial, line))
        return None

    def rotate(self, line: Line) -> None:
        """After a delivery from the line at the top: other destinations of the same job come first."""
        heap = self.heap
        if heap and heap[0][2] is line:
            self.serial += 1
            heapreplace(heap, (heap[0][0], self.serial, line))
