"""Two worlds. `Simulation` for the algorithm: time jumps from event to event, deliveries take as long as a test says.
`World` for the queue manager: a queue in memory, a clock, transports and a reporter that do as they are told."""

from collections import defaultdict
from heapq import heappop, heappush

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from mailer.config.settings import Settings
from mailer.interfaces.context import Context
from mailer.message.address import domain_of
from mailer.message.delivery import Destination
from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import Outcome
from mailer.schedule.job import Message
from mailer.schedule.limits import Limits, limits
from mailer.schedule.qmgr import Qmgr, TransportEntry
from mailer.schedule.scheduler import Scheduler
from mailer.testing.log import RecordingLog
from mailer.testing.queue import MemoryQueue
from mailer.testing.tables import answer


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


class Addressing:
    """Resolves to ``smtp`` and the address's domain, unless ``routes`` (domain -> Destination, or an error to raise) says
    otherwise. ``waits`` makes every answer a Deferred that the test fires."""

    def __init__(self):
        self.routes = {}
        self.waits = None
        self.asked = []

    async def resolve_probe(self, sender, recipient):
        return await self.resolve(sender, recipient)

    async def resolve(self, sender, recipient):
        self.asked.append(recipient)
        if self.waits is not None:
            waiting = Deferred()
            self.waits.append(waiting)
            await waiting
        domain = domain_of(recipient)
        route = self.routes.get(domain, Destination("smtp", domain, recipient))
        if isinstance(route, Exception):
            raise route
        if callable(route):
            route = route(recipient)
        return route


class Agent:
    """A transport whose deliveries a test watches (``requests``) and, with ``hold``, ends (`end`)."""

    def __init__(self, fate=lambda request, recipient: Outcome.sent("delivered", relay="x")):
        self.requests = []
        self.fate = fate
        self.hold = False
        self.open = []
        self.before = None

    async def deliver(self, request, outcomes):
        self.requests.append(request)
        if self.hold:
            waiting = Deferred()
            self.open.append(waiting)
            await waiting
        if self.before is not None:
            self.before(request, outcomes)
        for recipient in request.recipients:
            outcome = self.fate(request, recipient)
            if outcome is not None:
                outcomes.tell(recipient, outcome)

    def end(self, number=0):
        self.open.pop(number).callback(None)

    async def stop(self):
        pass

    @property
    def recipients(self):
        return [recipient.address for request in self.requests for recipient in request.recipients]


class Reporter:
    """Remembers what it was told; ``failure`` is raised while it is set."""

    def __init__(self):
        self.told = []
        self.failure = None

    def _take(self, kind, entry, results):
        if self.failure is not None:
            raise self.failure
        self.told.append((kind, entry.queue_id, [(r.address, o.status, o.text) for r, o in results]))

    async def bounce(self, entry, results):
        self._take("bounce", entry, results)

    async def delayed(self, entry, results):
        self._take("delayed", entry, results)

    async def succeeded(self, entry, results):
        self._take("succeeded", entry, results)


class World:
    """A queue manager between fakes. ``settings`` are main.cf texts; ``transports`` are Agents by name."""

    def __init__(self, transports=None, processes=100, start=True, **settings):
        self.clock = Clock()
        self.clock.advance(1_000_000.0)
        self.settings = Settings({}).with_overrides({"myhostname": "mx.example", **settings})
        self.log = RecordingLog()
        self.logs = {}
        self.queue = MemoryQueue(self.clock.seconds)
        self.addressing = Addressing()
        self.reporter = Reporter()
        self.agents = {"smtp": Agent(), "retry": Retry()} if transports is None else transports
        self.processes = processes
        self.qmgr = self.build()
        if start:
            answer(self.qmgr.start())

    @property
    def smtp(self):
        return self.agents["smtp"]

    def build(self):
        context = Context(settings=self.settings, reactor=self.clock, seconds=self.clock.seconds, log=self.log)
        entries = {}
        for name, agent in self.agents.items():
            self.logs[name] = log = RecordingLog()
            entries[name] = TransportEntry(agent, log, limits(self.settings, name, self.processes, self.log.warning))
        return Qmgr(context, self.queue, self.addressing, entries, self.reporter)

    def send(self, *recipients, sender="me@here.example", size=10, **envelope):
        writer = self.queue.open(Envelope(sender=sender, **envelope))
        for recipient in recipients:
            if isinstance(recipient, str):
                recipient = Recipient(recipient, recipient)
            writer.recipient(recipient)
        writer.write(b"x" * size)
        return answer(writer.commit())

    def pass_time(self, seconds, step=None):
        """Let time pass, in small steps, so that timers that set timers go off in order."""
        self.clock.pump([step or seconds / 10] * (int(seconds / step) if step else 10))

    def lines(self, name=None):
        """The log of a transport, or of the queue manager itself."""
        lines = (self.logs[name] if name else self.log).lines
        taken, lines[:] = list(lines), []
        return taken

    def state(self, queue_id):
        entry = self.queue.entries.get(queue_id)
        return entry.state if entry is not None else "gone"


class Retry:
    """The real ``retry`` service's behaviour."""

    async def deliver(self, request, outcomes):
        status, _, text = request.nexthop.partition(" ")
        for recipient in request.recipients:
            outcomes.tell(recipient, Outcome.deferred(text, status))

    async def stop(self):
        pass


@pytest.fixture(scope="session")
def world():
    return World


@pytest.fixture(scope="session")
def agent():
    return Agent


@pytest.fixture
def flushed_faults():
    """Collects what goes to twisted.logger as failures. :return: a function that gives the exceptions' types."""
    seen = []

    def observe(event):
        if "log_failure" in event:
            seen.append(event["log_failure"].type)

    globalLogPublisher.addObserver(observe)
    yield lambda: seen
    globalLogPublisher.removeObserver(observe)
