"""Answers are kept as long as they may be, no more of them than fit, and nobody asks what is being asked."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailer.dns.cache import Cache
from mailer.message.dns import Answer
from mailer.message.status import TemporaryError


class Asked:
    """Something to ask: counts, and answers at once or later."""

    def __init__(self, answer=None, later=False):
        self.answer = answer
        self.count = 0
        self.waiting = Deferred() if later else None

    async def __call__(self):
        self.count += 1
        return await self.waiting if self.waiting is not None else self.answer


def result(coroutine):
    got = []
    Deferred.fromCoroutine(coroutine).addBoth(got.append)
    return got


def test_an_answer_lasts_as_long_as_its_ttl():
    clock, ask = Clock(), Asked(Answer(("x",), ttl=30.0))
    cache = Cache(clock.seconds)
    assert result(cache.get("q", ask)) == result(cache.get("q", ask)) == [ask.answer]
    assert ask.count == 1
    clock.advance(29.9)
    result(cache.get("q", ask))
    assert ask.count == 1
    clock.advance(0.2)
    result(cache.get("q", ask))
    assert ask.count == 2


def test_no_answer_lasts_for_ever_and_one_without_ttl_not_at_all():
    clock = Clock()
    cache = Cache(clock.seconds, longest=100.0)
    long, none = Asked(Answer(ttl=1e9)), Asked(Answer(ttl=0.0))
    result(cache.get("long", long)), result(cache.get("none", none)), result(cache.get("none", none))
    assert none.count == 2
    clock.advance(101)
    result(cache.get("long", long))
    assert long.count == 2


def test_the_least_recently_used_answer_goes_first():
    cache = Cache(Clock().seconds, limit=2)
    asks = {key: Asked(Answer((key,), ttl=60.0)) for key in "abc"}
    for key in "abac":
        result(cache.get(key, asks[key]))
    assert len(cache) == 2
    result(cache.get("a", asks["a"])), result(cache.get("b", asks["b"]))
    assert (asks["a"].count, asks["b"].count) == (1, 2)


def test_the_same_question_is_asked_once_at_a_time():
    cache, ask = Cache(Clock().seconds), Asked(later=True)
    got = [result(cache.get("q", ask)) for _ in range(3)]
    assert ask.count == 1 and got == [[], [], []]
    answer = Answer(("x",), ttl=5.0)
    ask.waiting.callback(answer)
    assert got == [[answer]] * 3


def test_a_failure_is_shared_and_not_kept():
    cache, ask = Cache(Clock().seconds), Asked(later=True)
    got = [result(cache.get("q", ask)) for _ in range(2)]
    ask.waiting.errback(TemporaryError("down"))
    assert [failure[0].check(TemporaryError) for failure in got] == [TemporaryError] * 2
    ask.waiting, ask.answer = None, Answer(("x",), ttl=5.0)
    assert result(cache.get("q", ask)) == [ask.answer]


def test_others_are_not_left_waiting_when_the_one_who_asked_gives_up():
    cache, ask = Cache(Clock().seconds), Asked(later=True)
    first = cache.get("q", ask)
    first.send(None)
    other = result(cache.get("q", ask))
    first.close()
    assert other[0].check(TemporaryError)


def test_forgetting_everything():
    cache, ask = Cache(Clock().seconds), Asked(Answer(ttl=60.0))
    result(cache.get("q", ask))
    cache.clear()
    result(cache.get("q", ask))
    assert ask.count == 2


@pytest.mark.parametrize("limit", [1, 3])
def test_never_more_than_fit(limit):
    cache = Cache(Clock().seconds, limit=limit)
    for number in range(10):
        result(cache.get(number, Asked(Answer(ttl=60.0))))
    assert len(cache) == limit
