"""Identical questions are asked once."""

import pytest
from twisted.internet.defer import CancelledError, Deferred

from mailer.tables.flight import Flights


class Question:
    def __init__(self):
        self.asked = []
        self.answers = {}

    def ask(self, key):
        async def question():
            self.asked.append(key)
            self.answers[key] = Deferred()
            return await self.answers[key]

        return question


def result_of(deferred):
    results = []
    deferred.addBoth(results.append)
    return results


def test_who_comes_later_gets_the_same_answer():
    flights, question = Flights(), Question()
    results = [result_of(flights.ask("a", question.ask("a"))) for _ in range(3)]
    other = result_of(flights.ask("b", question.ask("b")))
    assert question.asked == ["a", "b"] and len(flights) == 2
    question.answers["a"].callback("x")
    assert results == [["x"]] * 3 and other == []
    assert flights.joined == 2
    question.answers["b"].callback(None)
    assert other == [None] and len(flights) == 0


def test_all_get_the_failure_and_the_next_one_asks_anew():
    flights, question = Flights(), Question()
    results = [result_of(flights.ask("a", question.ask("a"))) for _ in range(2)]
    question.answers["a"].errback(ValueError("no"))
    assert [failure.value.args for (failure,) in results] == [("no",)] * 2
    flights.ask("a", question.ask("a"))
    assert question.asked == ["a", "a"]


def test_an_answer_at_once():
    flights = Flights()

    async def question():
        return "now"

    assert result_of(flights.ask("a", question)) == ["now"]
    assert len(flights) == 0


def test_one_who_gives_up_leaves_the_question_to_the_others():
    flights, question = Flights(), Question()
    first = flights.ask("a", question.ask("a"))
    gone = result_of(first)
    stays = result_of(flights.ask("a", question.ask("a")))
    first.cancel()
    assert gone[0].check(CancelledError)
    question.answers["a"].callback("x")
    assert stays == ["x"]


@pytest.mark.parametrize("answer", ["x", ValueError("nobody cares")])
def test_all_have_gone(answer):
    flights, question = Flights(), Question()
    only = flights.ask("a", question.ask("a"))
    result_of(only)
    only.cancel()
    if isinstance(answer, str):
        question.answers["a"].callback(answer)
    else:
        question.answers["a"].errback(answer)
    assert len(flights) == 0


def test_asking_again_from_within_an_answer_asks_anew():
    flights, question = Flights(), Question()
    first = flights.ask("a", question.ask("a"))
    first.addCallback(lambda _: flights.ask("a", question.ask("a")))
    question.answers["a"].callback("x")
    assert question.asked == ["a", "a"]
