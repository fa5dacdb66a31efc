"""Answers are fresh, then stale, then gone."""

import pytest

from mailer.tables.answercache import AnswerCache, Lifetimes

TIMES = Lifetimes(value=30, absence=5, stale_value=100, stale_absence=0)


def test_a_value_is_fresh_then_stale_then_gone():
    cache = AnswerCache(TIMES, 10)
    cache.keep("k", "v", 1000.0)
    assert cache.fresh("k", 1029.9) == ("v",)
    assert cache.fresh("k", 1030) is None
    assert cache.stale("k", 1129.9) == ("v",)
    assert cache.stale("k", 1130) is None


def test_an_absence_is_not_used_when_it_is_stale():
    cache = AnswerCache(TIMES, 10)
    cache.keep("k", None, 0.0)
    assert cache.fresh("k", 4.9) == (None,)
    assert cache.fresh("k", 5) is None
    assert cache.stale("k", 5) is None


def test_unless_it_is_allowed():
    cache = AnswerCache(Lifetimes(absence=5, stale_absence=10), 10)
    cache.keep("k", None, 0.0)
    assert cache.stale("k", 14) == (None,)


def test_an_absence_replaces_a_value():
    cache = AnswerCache(TIMES, 10)
    cache.keep("k", "v", 0.0)
    cache.keep("k", None, 1.0)
    assert cache.stale("k", 7) is None


@pytest.mark.parametrize(("times", "most"), [(Lifetimes(0, 0, 0, 0), 10), (TIMES, 0)])
def test_nothing_is_kept(times, most):
    cache = AnswerCache(times, most)
    cache.keep("k", "v", 0.0)
    cache.keep("n", None, 0.0)
    assert len(cache) == 0 and cache.fresh("k", 0) is None and cache.stale("k", 0) is None


def test_no_time_to_live_but_stale_ones():
    cache = AnswerCache(Lifetimes(0, 0, 60, 0), 10)
    cache.keep("k", "v", 0.0)
    assert cache.fresh("k", 0) is None and cache.stale("k", 59) == ("v",)


def test_the_oldest_goes_first_and_asking_again_makes_young():
    cache = AnswerCache(TIMES, 3)
    for key in "abc":
        cache.keep(key, key, 0.0)
    cache.keep("a", "a", 1.0)
    cache.keep("d", "d", 2.0)
    assert len(cache) == 3
    assert [key for key in "abcd" if cache.fresh(key, 2)] == ["a", "c", "d"]
    cache.forget()
    assert len(cache) == 0
