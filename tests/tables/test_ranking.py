"""Servers by preference and health; the breaker behind it."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailer.tables.breaker import Breaker
from mailer.tables.ranking import Away, Ranking, ServerAway
from mailer.testing.log import RecordingLog


def test_breaker_pauses_grow_and_one_probes():
    breaker = Breaker(1.0, 5.0)
    assert breaker.closed and not breaker.may_probe(0)
    assert breaker.trip(10.0, "refused") and not breaker.trip(10.5, "refused again")
    assert not breaker.closed and breaker.reason == "refused" and breaker.outages == 1
    assert not breaker.may_probe(10.9) and breaker.may_probe(11.0)
    breaker.begin_probe()
    assert not breaker.may_probe(12)
    pauses, now = [], 11.0
    for _ in range(4):
        breaker.probe_failed(now, "still")
        due = next(now + tenth / 10 for tenth in range(100) if breaker.may_probe(now + tenth / 10))
        pauses.append(round(due - now, 1))
        now = due
        breaker.begin_probe()
    assert pauses == [2.0, 4.0, 5.0, 5.0]
    assert breaker.close() and breaker.closed and breaker.reason == ""
    assert not breaker.close()
    breaker.trip(100.0, "again")
    assert breaker.may_probe(101.0)


class Server:
    def __init__(self, name):
        self.name = name
        self.fine = True
        self.probes = 0
        self.asked = 0
        self.waiting = None

    async def probe(self):
        self.probes += 1
        if self.waiting is not None:
            await self.waiting
        if not self.fine:
            raise ServerAway("still refused")

    async def ask(self):
        self.asked += 1
        if not self.fine:
            raise ServerAway("refused")
        return self.name


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log():
    return RecordingLog()


@pytest.fixture
def servers():
    return [Server("one"), Server("two")]


@pytest.fixture
def ranking(servers, clock, log):
    return Ranking(servers, "test:x", clock.seconds, log, lambda: Breaker(1.0, 4.0))


def ask(ranking):
    results = []
    Deferred.fromCoroutine(ranking.ask(lambda server: server.ask())).addBoth(results.append)
    return results


def test_the_first_is_preferred(ranking, servers):
    assert [ask(ranking) for _ in range(2)] == [["one"]] * 2
    assert servers[1].asked == 0


def test_fail_over_within_the_lookup_and_back(ranking, servers, clock, log):
    servers[0].fine = False
    assert ask(ranking) == ["two"]
    assert log.lines == ["warning test:x: one is away: refused"]
    assert ask(ranking) == ["two"] and servers[0].asked == 1  # left alone
    clock.advance(1)
    assert ask(ranking) == ["two"] and servers[0].probes == 1
    assert ask(ranking) == ["two"] and servers[0].probes == 1
    servers[0].fine = True
    clock.advance(2)
    assert ask(ranking) == ["one"]
    assert log.lines[1:] == ["info test:x: one answers again"]


def test_a_probe_holds_nobody_up_while_another_server_answers(ranking, servers, clock):
    servers[0].fine = False
    ask(ranking)
    servers[0].waiting = Deferred()
    clock.advance(1)
    assert ask(ranking) == ["two"] and servers[0].probes == 1
    clock.advance(60)
    assert ask(ranking) == ["two"] and servers[0].probes == 1  # one at a time
    servers[0].fine = True
    servers[0].waiting.callback(None)
    assert ask(ranking) == ["one"]


def test_all_away(ranking, servers, clock, log):
    for server in servers:
        server.fine = False
    (failure,) = ask(ranking)
    assert failure.check(Away)
    assert failure.value.cause == "test:x: one: refused; two: refused"
    assert ask(ranking)[0].check(Away)
    assert [server.asked for server in servers] == [1, 1]
    clock.advance(1)
    assert ask(ranking)[0].check(Away)
    assert [server.probes for server in servers] == [1, 1]
    assert log.lines == ["warning test:x: one is away: refused", "warning test:x: two is away: refused"]


def test_one_waits_for_the_probe_and_the_others_are_told_at_once(ranking, servers, clock):
    for server in servers:
        server.fine = False
    ask(ranking)
    clock.advance(1)
    servers[0].waiting = Deferred()
    first = ask(ranking)
    assert first == []
    # The second server is probed by the next one who asks; then nobody is left to probe.
    assert ask(ranking)[0].check(Away)
    assert ask(ranking)[0].check(Away)
    servers[0].fine = True
    servers[0].waiting.callback(None)
    assert first == ["one"]


def test_a_probe_given_up_makes_room_for_the_next(ranking, servers, clock):
    for server in servers:
        server.fine = False
    ask(ranking)
    clock.advance(1)
    servers[0].waiting = Deferred()
    asking = Deferred.fromCoroutine(ranking.ask(lambda server: server.ask()))
    asking.addErrback(lambda _: None)
    asking.cancel()
    clock.advance(4)
    servers[0].waiting = None
    servers[0].fine = True
    assert ask(ranking) == ["one"]


def test_what_is_no_absence_of_the_server_is_the_answer(ranking, servers):
    async def limit(server):
        raise ValueError("size limit")

    results = []
    Deferred.fromCoroutine(ranking.ask(limit)).addBoth(results.append)
    assert results[0].check(ValueError)
    assert ask(ranking) == ["one"]
