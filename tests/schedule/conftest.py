"""A simulated world for the algorithm: time jumps from event to event, deliveries take as long as a test says."""

from collections import defaultdict
from heapq import heappop, heappush

import pytest

from mailer.schedule.job import Message
from mailer.schedule.limits import Limits
from mailer.schedule.scheduler import Scheduler


class Mail(Message):
    """A message of a simulation: a name, and when its recipients were done."""

    __slots__ = ("finished", "name", "source")

    def __init__(self, name, order, now, unread=0):
        super().__init__(order, now, unread)
        self.name = name
        self.finished = None
        self.source = None


class Simulation:
    """``service(entry)`` gives seconds, or ``(seconds, (status, reason))`` for an unreachable destination.

    ``started`` records ``(time, message name, destination, number of recipients)`` of every delivery.
    """

    def __init__(self, limits=None, service=lambda entry: 1.0, trace=None, **every):
        limits = limits or {}
        every.setdefault("recipient_limit", 1)
        self.scheduler = Scheduler(lambda name: limits.get(name) or Limits(**every), trace=trace)
        self.service = service
        self.now = 0.0
        self.started = []
        self.events = []
        self.serial = 0
        self.most_busy = defaultdict(int)
        self.in_core = 0  # the most there ever were
        self.keep = True  # whether to fill ``started``
        self.refill = None
        self.ended = []

    def send(self, name, destinations, transport="smtp", unread=0):
        """A message now. ``destinations``: names, one for each recipient."""
        mail = Mail(name, self.scheduler.next_order(), self.now, unread)
        self.give(mail, destinations, transport)
        return mail

    def give(self, mail, destinations, transport="smtp"):
        groups = defaultdict(list)
        for number, destination in enumerate(destinations):
            groups[transport, destination, destination].append(number)
        touched = self.scheduler.assign(mail, dict(groups))
        self.in_core = max(self.in_core, self.scheduler.in_core)
        self.pump(touched)

    def pump(self, touched):
        for transport in touched:
            while (entry := transport.select(self.now)) is not None:
                self._start(entry)

    def _start(self, entry):
        queue = entry.queue
        if self.keep:
            self.started.append((self.now, entry.message.name, queue.name, len(entry.recipients)))
        self.most_busy[queue.name] = max(self.most_busy[queue.name], queue.busy)
        took = self.service(entry)
        took, unreachable = took if isinstance(took, tuple) else (took, None)
        self._at(self.now + took, entry, unreachable)

    def _at(self, when, *what):
        self.serial += 1
        heappush(self.events, (when, self.serial, *what))

    def later(self, when, action):
        self._at(when, action, None)

    def step(self, until=float("inf")):
        """One event or alarm. :return: whether there was one by then."""
        alarm = self.scheduler.next_alarm()
        event = self.events[0][0] if self.events else None
        when = min((t for t in (alarm, event) if t is not None), default=None)
        if when is None or when > until:
            return False
        self.now = when
        if event is None or (alarm is not None and alarm <= event):
            self.pump(self.scheduler.wake(self.now))
            return True
        _, _, what, unreachable = heappop(self.events)
        if callable(what):
            what()
            return True
        touched = self.scheduler.done(what, self.now, unreachable)
        message = what.message
        if self.refill is not None:
            self.refill(message)
        if not message.outstanding and not message.unread:
            message.finished = self.now
            message.jobs.clear()
            self.ended.append(message.name)
        self.pump(touched)
        return True

    def run(self, until=float("inf")):
        while self.step(until):
            pass
        if until != float("inf"):
            self.now = until

    def order(self):
        return [name for _, name, _, _ in self.started]


@pytest.fixture(scope="session")
def simulation():
    return Simulation
