"""Processes of a plan: start, deaths, changes, the end; with processes that are none."""

from contextlib import contextmanager

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailer.master.processplan import ProcessPlan
from mailer.master.supervision import ChangeRefused, Supervisor
from mailer.testing.log import RecordingLog

KINDS = ("proxymap", "qmgr", "smtp", "smtpd")


class Process:
    """Does what the test says."""

    numbers = iter(range(100, 100_000))

    def __init__(self, plan, watcher, generation):
        self.plan, self.watcher, self.generation = plan, watcher, generation
        self.state, self.pid = "starting", next(self.numbers)
        self.reason, self.broken, self.served, self.hangs = "", {}, False, False
        self.asked, self.drained, self.reloads, self.signals = 0, [], [], []

    def ready(self, **broken):
        self.state, self.broken = "ready", broken
        self.watcher.ready(self)

    def listen(self):
        self.state = "serving"

    def drain(self, seconds):
        self.state = "draining"
        self.served = True
        self.drained.append(seconds)

    def reload(self, descriptor, peers):
        self.reloads.append(descriptor)

    def ask(self, answered):
        self.asked += 1

    def kill(self, number=9):
        self.signals.append(number)

    def die(self, status=1, reason=""):
        self.served = self.served or self.state == "serving"
        self.state, self.reason = "ended", reason
        self.watcher.ended(self, status)


class Generation:
    def __init__(self, made, descriptor=1, kinds=KINDS):
        self.process_plans = tuple(ProcessPlan(kind) for kind in kinds)
        self.peers = {}
        self.descriptor = descriptor
        self.made = made

    @contextmanager
    def together(self, plans):
        yield

    def start(self, plan, watcher):
        self.made.append(Process(plan, watcher, self))
        return self.made[-1]


class Rig:
    def __init__(self):
        self.clock, self.log, self.made = Clock(), RecordingLog(), []
        self.settled, self.useless = [], []
        self.supervisor = Supervisor(
            self.clock, self.log, 60.0, lambda *_: None, lambda: self.settled.append(1), self.useless.append
        )
        self.supervisor.start(Generation(self.made))

    def now(self, kind):
        """The newest process of a kind."""
        return [process for process in self.made if process.plan.kind == kind][-1]

    def up(self):
        for kind in ("smtpd", "smtp", "proxymap", "qmgr"):
            self.now(kind).ready()
        return self

    def change(self, **more):
        generation = Generation(self.made, **{"descriptor": 2, **more})
        result = []
        Deferred.fromCoroutine(self.supervisor.change(generation)).addBoth(result.append)
        return result

    def refused(self, result):
        (failure,) = result
        return str(failure.trap(ChangeRefused) and failure.value)


@pytest.fixture
def rig():
    return Rig()


def test_smtpd_waits_for_a_queue_at_the_start(rig):
    rig.now("smtpd").ready()
    rig.now("smtp").ready()
    assert [rig.now("smtpd").state, rig.now("smtp").state] == ["ready", "serving"]
    rig.now("proxymap").ready()
    assert not rig.settled
    rig.now("qmgr").ready()
    assert rig.now("smtpd").state == "serving" and rig.settled == [1]


def test_smtpd_does_not_wait_for_ever(rig):
    rig.now("smtpd").ready()
    rig.clock.advance(6)
    assert rig.now("smtpd").state == "serving"


def test_one_that_dies_is_started_again_at_once_and_the_others_go_on(rig):
    rig.up()
    old = rig.now("smtp")
    old.die(-9)
    rig.clock.advance(0)
    assert rig.now("smtp") is not old and len(rig.made) == 5
    assert rig.log.lines == [f"warning process smtp pid {old.pid} killed by signal 9"]
    rig.now("smtp").ready()
    assert rig.now("smtp").state == "serving" and rig.supervisor.slots["smtp"].restarts == 1


def test_one_that_cannot_start_is_tried_less_and_less_often_and_that_is_said(rig):
    for kind in ("smtpd", "proxymap", "qmgr"):
        rig.now(kind).ready()
    times = []
    for _ in range(4):
        rig.now("smtp").die(1, "smtp_x: bad value")
        before, at = len(rig.made), rig.clock.seconds()
        while len(rig.made) == before:
            rig.clock.advance(0.5)
        times.append(rig.clock.seconds() - at)
    assert times == [1, 2, 4, 8]
    assert rig.settled == [1]  # the rest serves
    assert rig.supervisor.slots["smtp"].trouble == "smtp_x: bad value"
    assert rig.log.lines[:3] == [
        "error smtp: smtp_x: bad value",
        f"warning process smtp pid {rig.made[2].pid} exit status 1",
        "warning smtp: bad command startup -- throttling",
    ]
    rig.now("smtp").ready()
    assert rig.supervisor.slots["smtp"].trouble == ""


def test_a_loop_of_faults_is_reported(rig):
    rig.up()
    for _ in range(7):
        rig.now("smtp").die(-11)
        rig.clock.advance(2)
        rig.now("smtp").ready()
    assert "error smtp ends again and again; it is started in 1 s" in rig.log.lines
    assert "error smtp ends again and again; it is started in 2 s" in rig.log.lines


def test_without_a_queue_at_the_start_everything_is_useless(rig):
    rig.now("smtp").ready()
    rig.now("qmgr").die(1, "the queue is damaged")
    assert rig.useless == ["the queue is damaged"]


def test_a_change_is_made_when_all_are_ready(rig):
    rig.up()
    old = {kind: rig.now(kind) for kind in KINDS}
    result = rig.change()
    new = [rig.now(kind) for kind in ("proxymap", "smtp", "smtpd")]
    assert rig.now("qmgr") is old["qmgr"]
    for process in new[:2]:
        process.ready()
    assert not old["qmgr"].reloads and old["smtpd"].state == "serving"
    new[2].ready()
    assert old["qmgr"].reloads == [2] and not result
    rig.supervisor.reloaded(old["qmgr"], "")
    assert result == [None]
    assert [process.state for process in new] == ["serving"] * 3
    assert all(old[kind].drained == [3600.0] for kind in ("proxymap", "smtp", "smtpd"))
    old["smtpd"].die(0)  # its last session has ended: nobody takes its place
    rig.clock.advance(1)
    assert rig.now("smtpd") is new[2]
    new[2].die(-9)
    rig.clock.advance(0)
    assert rig.now("smtpd").generation.descriptor == 2


@pytest.mark.parametrize("how", ["dies", "broken", "late", "qmgr"])
def test_a_change_that_fails_leaves_everything_as_it_was(rig, how):
    rig.up()
    old = {kind: rig.now(kind) for kind in KINDS}
    result = rig.change()
    new = [rig.now(kind) for kind in ("proxymap", "smtp", "smtpd")]
    new[0].ready()
    if how == "dies":
        new[1].die(1, "wrong key")
    elif how == "broken":
        new[2].ready(**{"smtp/inet": "wrong key"})
    elif how == "late":
        rig.clock.pump([10] * 7)
    else:
        new[1].ready()
        new[2].ready()
        rig.supervisor.reloaded(old["qmgr"], "wrong key")
    assert ("ready in time" if how == "late" else "wrong key") in rig.refused(result)
    assert all(process.state == "serving" and not process.drained for process in old.values())
    assert all(process.signals or process.state == "ended" for process in new)
    for process in new:
        if process.state != "ended":
            process.die(-9)
    rig.clock.advance(1)
    assert {slot.process for slot in rig.supervisor.slots.values()} == set(old.values())
    rig.now("smtp")
    old["smtp"].die(-9)
    rig.clock.advance(0)
    assert rig.now("smtp").generation.descriptor == 1


def test_kinds_come_and_go_with_a_change(rig):
    rig.up()
    old = rig.now("smtp")
    result = rig.change(kinds=("proxymap", "qmgr", "smtpd", "deliver"))
    for kind in ("proxymap", "smtpd", "deliver"):
        rig.now(kind).ready()
    rig.supervisor.reloaded(rig.now("qmgr"), "")
    assert result == [None] and old.drained == [3600.0]
    assert rig.now("deliver").state == "serving"
    old.die(0)
    assert "smtp" not in rig.supervisor.slots


def test_one_that_hangs_is_killed(rig):
    rig.up()
    rig.clock.advance(10)
    assert rig.now("smtp").asked == 1
    process = rig.now("smtp")
    process.hangs = True
    rig.clock.advance(10)
    rig.clock.advance(1)
    assert process.signals == [6, 9]
    assert f"error process smtp pid {process.pid} does not answer: killed" in rig.log.lines


def test_the_end_comes_in_order_and_within_a_bound(rig):
    rig.up()
    rig.now("smtp").die(-11)  # is not started again
    done = []
    Deferred.fromCoroutine(rig.supervisor.stop(10.0)).addCallback(done.append)
    smtpd, qmgr, proxymap = rig.now("smtpd"), rig.now("qmgr"), rig.now("proxymap")
    assert smtpd.drained == [10.0] and not qmgr.drained
    rig.clock.advance(4)
    smtpd.die(0)
    rig.clock.pump([0.1])
    assert qmgr.drained == [pytest.approx(5.9, abs=0.2)] and not proxymap.drained
    qmgr.die(0)
    rig.clock.pump([0.1] * 3)
    assert proxymap.drained and not done
    proxymap.die(0)
    rig.clock.pump([0.1] * 3)
    assert done == [None] and len(rig.made) == 4
