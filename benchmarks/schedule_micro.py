"""What scheduling costs: CPU per message for all of ``mailer.schedule``, between fakes that cost next to nothing.

    python benchmarks/schedule_micro.py [--messages 20000] [--rounds 5] [--million]

A message with one recipient goes in at `Qmgr.arrived` and out at `queue.remove`: log lines, resolving (a constant answer),
assignment, selection, the delivery's coroutine, the outcome, the end of the pass. ``at once``: the transport never waits.
``waits``: it awaits one Deferred, as an SMTP delivery does. ``deferred``: it is put back, and its time worked out.
``--million`` simulates a message with a million recipients, read in pieces, and says how long that takes for each recipient.
Figures are microseconds of CPU for a message: the least and the median of the rounds.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailer.config.settings import Settings
from mailer.interfaces.context import Context
from mailer.message.delivery import DeliveryRequest, Destination
from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import Outcome
from mailer.schedule.limits import limits
from mailer.schedule.qmgr import Qmgr, TransportEntry


class NoLog:
    """Formats are paid for by the caller; a line costs an append in the real log."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.info = self.warning = self.lines.append


@dataclass(slots=True)
class Entry:
    queue_id: str
    envelope: Envelope
    recipients: list[Recipient]
    pending: int
    nrcpt: int
    content: Any = None
    size: int = 4096
    arrival: float = 0.0
    attempts: int = 0
    bounced: int = 0
    warned: bool = False
    expired: bool = False


@dataclass
class NoQueue:
    """The store's side of the contract, without a store. ``many`` makes it give out recipients without end."""

    removed: int = 0
    deferred: int = 0
    unread: dict[str, int] = field(default_factory=dict)

    def subscribe(self, consumer: Any, recipients: int = 1000) -> None: ...

    async def claim(self, now: float, limit: int, deferred: bool = True, incoming: bool = True) -> list[Entry]:
        return []

    async def next_attempt(self) -> None:
        return None

    def record(self, queue_id: str, outcomes: Any) -> None: ...

    def remove(self, queue_id: str) -> None:
        self.removed += 1

    def defer(self, queue_id: str, next_attempt: float, warned: bool | None = None) -> None:
        self.deferred += 1

    async def recipients(self, queue_id: str, after: int, limit: int) -> list[Recipient]:
        last = self.unread[queue_id]
        return [addressed(number) for number in range(after + 1, min(after + limit, last) + 1)]


class Constant:
    """IAddressing: everything goes to transport smtp and the recipient's domain."""

    async def resolve(self, sender: str, recipient: str) -> Destination:
        return Destination("smtp", recipient.partition("@")[2], recipient)


SENT = Outcome.sent("250 2.0.0 Ok: queued as 12345", relay="mx.example[192.0.2.1]:25")
LATER = Outcome.deferred("host mx.example[192.0.2.1] said: 450 4.2.1 later", "4.2.1", relay="mx.example[192.0.2.1]:25")


class Agent:
    def __init__(self, outcome: Outcome, waits: bool) -> None:
        self.outcome = outcome
        self.waits = waits
        self.waiting: list[Deferred[None]] = []

    async def deliver(self, request: DeliveryRequest, outcomes: Any) -> None:
        if self.waits:
            reply: Deferred[None] = Deferred()
            self.waiting.append(reply)
            await reply
        for recipient in request.recipients:
            outcomes.tell(recipient, self.outcome)


def addressed(number: int) -> Recipient:
    address = f"user{number}@d{number % 997}.example"
    return Recipient(address, address, id=number)


def manager(agent: Agent, queue: NoQueue, **texts: str) -> tuple[Qmgr, Clock]:
    clock = Clock()
    clock.advance(1e9)
    settings = Settings({}).with_overrides({"myhostname": "mx.example", **texts})
    log = NoLog()
    context = Context(settings=settings, reactor=clock, seconds=time.time, log=log)
    entry = TransportEntry(agent, log, limits(settings, "smtp", 100))
    return Qmgr(context, queue, Constant(), {"smtp": entry}, None), clock


def drive(coroutine: Any) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")


def run(outcome: Outcome, waits: bool, messages: int) -> float:
    """:return: microseconds of CPU for a message."""
    queue, agent = NoQueue(), Agent(outcome, waits)
    qmgr, _ = manager(agent, queue)
    drive(qmgr.start())
    entries = [
        Entry(
            f"{number:012X}", Envelope(sender="sender@example.org"), [addressed(number + 1)], 1, 1, arrival=time.time()
        )
        for number in range(messages)
    ]
    gc.collect()
    begin = time.process_time()
    for entry in entries:
        qmgr.arrived(entry)
        if len(agent.waiting) > 50:
            finish(agent)
    while agent.waiting:
        finish(agent)
    took = time.process_time() - begin
    if queue.removed + queue.deferred != messages:
        raise AssertionError(f"{messages} messages in, {queue.removed} removed, {queue.deferred} deferred")
    return took / messages * 1e6


def finish(agent: Agent) -> None:
    waiting, agent.waiting = agent.waiting, []
    for reply in waiting:
        reply.callback(None)


def million(recipients: int) -> float:
    queue, agent = NoQueue(), Agent(SENT, True)
    qmgr, clock = manager(agent, queue)
    drive(qmgr.start())
    queue.unread["A"] = recipients
    first = [addressed(number) for number in range(1, 1001)]
    most = 0
    begin = time.process_time()
    qmgr.arrived(Entry("A", Envelope(sender="list@example.org"), first, recipients, recipients))
    while not queue.removed:
        clock.advance(0.001)
        finish(agent)
        most = max(most, qmgr._scheduler.in_core)  # status() would look at every destination
    took = time.process_time() - begin
    print(f"{recipients} recipients: {took:.1f} s of CPU, at most {most} in memory")
    return took / recipients * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--million", action="store_true")
    options = parser.parse_args()
    cases: dict[str, Callable[[], float]] = {
        "at once": lambda: run(SENT, False, options.messages),
        "waits": lambda: run(SENT, True, options.messages),
        "deferred": lambda: run(LATER, True, options.messages),
    }
    if options.million:
        cases = {"million": lambda: million(1_000_000)}
        options.rounds = 1
    for name, case in cases.items():
        figures = [case() for _ in range(options.rounds)]
        print(f"{name:10} least {min(figures):6.1f} us   median {statistics.median(figures):6.1f} us")


if __name__ == "__main__":
    main()
