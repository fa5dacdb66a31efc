"""One daemon process as master sees it; the other end of its channel is the test's."""

import os

import pytest
from twisted.internet.task import Clock

from mailer.master.birth import Birth
from mailer.master.births import Born
from mailer.master.control import receive, send
from mailer.master.process import Process
from mailer.master.processplan import ProcessPlan

BIRTH = Birth("smtp", 0, "smtp", None, 5, 5, [5], False, "/q", "file", 1)


class Reactor(Clock):
    def addReader(self, reader):
        self.reader = reader

    def addWriter(self, writer):
        pass

    removeReader = removeWriter = addWriter


class Watcher:
    def __init__(self):
        self.told = []

    def ready(self, process):
        self.told.append("ready")

    def reloaded(self, process, error):
        self.told.append(("reloaded", error))

    def asked(self, process, message, descriptors):
        self.told.append(("asked", message["type"]))

    def ended(self, process, status):
        self.told.append(("ended", status))


class Fake(Born):
    pid = 77

    def __init__(self):
        self.signals = []

    def kill(self, number):
        self.signals.append(number)


class Rig:
    def __init__(self, handed=None):
        self.reactor, self.watcher, self.born = Reactor(), Watcher(), Fake()

        def start(end, ended):
            self.end, self.ended = end.dup(), ended
            return self.born

        self.process = Process(self.reactor, ProcessPlan("smtp"), BIRTH, handed or {}, start, self.watcher)

    def say(self, kind, **values):
        send(self.end, {"type": kind, **values})
        self.reactor.reader.doRead()


@pytest.fixture
def rig():
    return Rig()


def test_a_life(rig):
    message, _ = receive(rig.end)
    assert Birth.from_message(message) == BIRTH
    rig.say("ready", broken={"x/inet": "why"})
    assert rig.process.state == "ready" and rig.process.broken == {"x/inet": "why"}
    rig.process.listen()
    assert receive(rig.end) == ({"type": "listen"}, []) and rig.process.state == "serving"
    rig.process.drain(10.0)
    assert receive(rig.end) == ({"type": "drain", "seconds": 10.0}, [])
    rig.end.close()
    rig.ended(0)
    assert rig.watcher.told == ["ready", ("ended", 0)] and rig.process.served and not rig.born.signals


def test_more_descriptors_than_one_packet_takes():
    with open("/dev/null") as file:
        rig = Rig({f"s{number}": file.fileno() for number in range(300)})
    names = []
    for _ in range(2):
        message, descriptors = receive(rig.end)
        names += message.get("names", message.get("descriptors"))
        for descriptor in descriptors:
            os.close(descriptor)
    assert names == [f"s{number}" for number in range(300)]


def test_last_words(rig):
    send(rig.end, {"type": "failed", "reason": "wrong key"})
    rig.end.close()
    rig.ended(1)
    assert rig.process.reason == "wrong key" and rig.watcher.told == [("ended", 1)] and not rig.process.served


def test_one_that_ends_without_reading_what_it_was_told(rig):
    rig.process.drain(10.0)
    rig.end.close()  # the kernel resets the channel
    rig.ended(-9)
    assert rig.watcher.told == [("ended", -9)] and not rig.born.signals
    rig.process.kill()
    assert not rig.born.signals  # the number may be somebody else's by now


def test_one_that_hangs_up_and_lives_is_killed(rig):
    rig.end.close()
    rig.reactor.reader.doRead()
    rig.reactor.advance(2)
    assert not rig.born.signals
    rig.reactor.advance(2)
    assert rig.born.signals == [9]


def test_one_that_does_not_drain_in_time_is_killed(rig):
    rig.say("ready")
    rig.process.listen()
    rig.process.drain(3600.0)
    rig.process.drain(10.0)  # master ends meanwhile
    rig.reactor.advance(12)
    assert not rig.born.signals
    rig.reactor.advance(2)
    assert rig.born.signals == [9]


def test_one_that_talks_nonsense_is_killed(rig):
    rig.end.send(b"nonsense")
    rig.reactor.reader.doRead()
    assert rig.born.signals == [9] and "no JSON" in rig.process.reason


def test_silence(rig):
    rig.say("ready")
    answers = []
    for _ in range(7):
        rig.process.ask(lambda: answers.append(rig.process.account))
    assert rig.process.hangs
    rig.say("status", values={"sessions": 3})
    assert not rig.process.hangs and answers == [{"sessions": 3}] * 7


def test_what_it_says_of_itself_is_only_data(rig):
    rig.say("status", values="x")
    rig.say("ready", broken=["x"])
    rig.say("worker", id=1)
    rig.say("unheard-of")
    assert rig.process.account == {} and rig.process.broken == {}
    assert rig.watcher.told == ["ready", ("asked", "worker")]
