"""A message with a million recipients: bounded memory, bounded time, and small mail does not notice."""

import pytest

from mailer.schedule.limits import Limits
from mailer.schedule.refill import Refill

LIMIT = 20000


@pytest.fixture
def giant(simulation):
    """A world with a message of ``count`` recipients at ``domains`` destinations, read in pieces as Refill says."""

    def build(count, domains, **limits):
        world = simulation(processes=100, **{"recipient_limit": 50, **limits})
        world.keep = False
        world.reads = []
        refill = Refill(world.scheduler, LIMIT, 10)

        def read(message):
            if message.source is None:
                return
            wanted = refill.more(message, world.now, world.reads[-1][0])
            if wanted:
                world.reads.append((world.now, wanted))
                first, message.source = message.source, message.source + wanted
                message.unread -= wanted
                world.give(message, [f"d{number % domains}" for number in range(first, first + wanted)])

        def send(name):
            first = refill.first(count)
            world.reads.append((world.now, first))
            mail = world.send(name, [f"d{number % domains}" for number in range(first)], unread=count - first)
            mail.source = first
            return mail

        world.refill = read
        world.giant = send
        return world

    return build


def test_a_million_recipients(giant):
    world = giant(1_000_000, 2000)
    mailing = world.giant("mailing")
    small = []
    for number in range(100):
        world.later(1.3 + number, lambda number=number: small.append(world.send(f"s{number}", [f"x{number}"])))
    world.run()
    assert mailing.finished is not None and mailing.unread == 0
    assert world.in_core <= LIMIT + 100
    assert sum(wanted for _, wanted in world.reads) == 1_000_000
    assert len(world.reads) < 500  # in pieces that are worth a read
    assert len(small) == 100
    assert max(mail.finished - mail.enqueued for mail in small) <= 2.0


def test_further_giants_share_what_is_left_and_progress_together(giant):
    world = giant(30_000, 500)
    first, second, third = (world.giant(name) for name in ("one", "two", "three"))
    assert (first.outstanding, second.outstanding, third.outstanding) == (20000, 10, 10)
    world.run()
    assert None not in (first.finished, second.finished, third.finished)
    assert world.in_core <= LIMIT + 20
    assert first.finished < second.finished < third.finished


def test_small_reads_wait_for_the_refill_delay(simulation):
    world = simulation(limits={"smtp": Limits(pool=1000, refill_limit=100, refill_delay=5.0, processes=0)})
    refill = Refill(world.scheduler, 1000, 10)
    mail = world.send("m", ["d"] * 400, unread=10_000)
    # The pool is 1000, 400 of it are ours: half of what is free on top makes 500, too little to be worth it at once.
    assert refill.more(mail, 1.0, 0.0) == 0
    assert refill.more(mail, 5.0, 0.0) == 100


def test_the_least_is_read_however_full_memory_is(simulation):
    world = simulation(limits={"smtp": Limits(pool=100, processes=0)})
    refill = Refill(world.scheduler, 100, 10)
    world.send("filler", ["d"] * 500)
    assert refill.first(1000) == 10
    mail = world.send("m", ["e"] * 10, unread=990)
    world.run()
    assert refill.more(mail, world.now, world.now) > 10
