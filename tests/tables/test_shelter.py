"""Kept answers, one question for many, a time limit, stale answers while nobody can be asked."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailer.message.status import TemporaryError
from mailer.tables.answercache import Lifetimes
from mailer.tables.ranking import Away
from mailer.tables.shelter import Shelter
from mailer.testing.log import RecordingLog


class Directory:
    def __init__(self):
        self.entries = {"user": "mailbox"}
        self.asked = 0
        self.error = None
        self.hangs = None

    async def ask(self, key):
        self.asked += 1
        if self.hangs is not None:
            await self.hangs
        if self.error is not None:
            raise self.error
        return self.entries.get(key)


@pytest.fixture
def directory():
    return Directory()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log():
    return RecordingLog()


@pytest.fixture
def shelter(directory, clock, log):
    return Shelter("ldap:x", directory.ask, Lifetimes(30, 5, 600, 0), 100, 10.0, clock, log)


def find(shelter, key="user"):
    results = []
    Deferred.fromCoroutine(shelter.find(key)).addBoth(results.append)
    return results


def test_answers_are_kept_for_a_while(shelter, directory, clock):
    assert find(shelter) == ["mailbox"] and find(shelter) == ["mailbox"]
    assert find(shelter, "nobody") == [None] and find(shelter, "nobody") == [None]
    assert directory.asked == 2 and shelter.kept == 2
    clock.advance(5)
    directory.entries["nobody"] = "new"
    assert find(shelter, "nobody") == ["new"] and find(shelter) == ["mailbox"]
    clock.advance(25)
    find(shelter)
    assert directory.asked == shelter.asked == 4


def test_many_ask_at_once(shelter, directory):
    directory.hangs = Deferred()
    results = [find(shelter) for _ in range(5)]
    assert directory.asked == 1 and shelter.joined == 4
    directory.hangs.callback(None)
    assert results == [["mailbox"]] * 5


def test_the_time_is_limited(shelter, directory, clock):
    directory.hangs = Deferred()
    results = [find(shelter), find(shelter)]
    clock.advance(9.9)
    assert results == [[], []]
    clock.advance(0.1)
    for (failure,) in results:
        assert failure.check(Away)
        assert failure.value.cause == "no answer within 10 seconds"


def test_stale_answers_while_nobody_can_be_asked(shelter, directory, clock, log):
    find(shelter)
    find(shelter, "nobody")
    directory.error = Away("refused")
    clock.advance(31)
    assert find(shelter) == ["mailbox"]
    assert find(shelter, "nobody")[0].check(Away)  # an absence that is stale is no answer
    assert find(shelter, "new")[0].check(Away)
    assert log.lines == [
        "warning ldap:x: refused; answers up to 600 seconds too old are used: 1 lookups answered so far, 0 not"
    ]
    assert (shelter.stale, shelter.failed) == (1, 2)
    clock.advance(60)
    assert find(shelter) == ["mailbox"]
    assert log.lines[1:] == [
        "warning ldap:x: refused; answers up to 600 seconds too old are used: 2 lookups answered so far, 2 not"
    ]
    clock.advance(600)
    assert find(shelter)[0].check(Away)
    directory.error = None
    assert find(shelter) == ["mailbox"]
    assert log.lines[-1] == "info ldap:x: answering again after 660.0 seconds: 2 lookups answered so far, 3 not"


def test_a_limit_is_never_papered_over(shelter, directory, clock):
    find(shelter)
    clock.advance(31)
    directory.error = TemporaryError("size limit exceeded")
    (failure,) = find(shelter)
    assert failure.value is directory.error
    directory.error = None
    assert find(shelter) == ["mailbox"]
