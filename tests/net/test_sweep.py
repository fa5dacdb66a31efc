"""One timer for many time limits."""

from twisted.internet.task import Clock

from mailer.net.sweep import NEVER, Sweep


class Limited:
    def __init__(self, deadline=NEVER):
        self.deadline = deadline
        self.expiries = []

    def expired(self, now):
        self.expiries.append(now)
        self.deadline = NEVER


def test_it_looks_once_a_second_and_only_while_there_is_something_to_look_at():
    clock = Clock()
    sweep = Sweep(clock)
    assert not clock.getDelayedCalls()
    soon, later, never = Limited(1.5), Limited(3.0), Limited()
    for each in (soon, later, never):
        sweep.add(each)
    for _ in range(4):
        clock.advance(1)
    assert (soon.expiries, later.expiries, never.expiries) == ([2.0], [3.0], [])
    assert len(clock.getDelayedCalls()) == 1
    for each in (soon, later, never):
        sweep.discard(each)
    assert not clock.getDelayedCalls()


def test_a_limit_may_move_and_its_owner_leave_while_others_are_looked_at():
    clock = Clock()
    sweep = Sweep(clock)
    one, other = Limited(1.0), Limited(1.0)
    one.expired = lambda now: (sweep.discard(one), sweep.discard(other))
    other.expired = one.expired
    sweep.add(one), sweep.add(other)
    clock.advance(1)
    assert not clock.getDelayedCalls()
    sweep.add(other)
    other.deadline = 10.0
    clock.advance(1), clock.advance(1)
    assert len(clock.getDelayedCalls()) == 1
