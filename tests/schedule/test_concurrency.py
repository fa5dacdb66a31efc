"""The window of a destination: SCHEDULER_README's examples, and what the installed qmgr(8) was seen to log."""

import pytest

from mailer.schedule.destination import DestinationQueue
from mailer.schedule.feedback import parse
from mailer.schedule.limits import Limits

REASON = ("4.4.1", "connect to mx.example[192.0.2.1]:25: Connection refused")


def queue(limits, busy=0):
    made = DestinationQueue(None, "example.com", "example.com", limits.initial_concurrency)
    made.busy = busy
    return made


def windows(limits, events, busy=100):
    """The windows after each of ``events``: + success, - failure."""
    one = queue(limits, busy)
    seen = []
    for event in events:
        if event == "+":
            one.succeeded(limits)
        else:
            one.failed(limits, REASON)
        seen.append(one.window)
    return seen


def with_feedback(positive="1", negative="1", **more):
    return Limits(positive_feedback=parse(positive), negative_feedback=parse(negative), **more)


def test_growth_by_one_for_each_success_doubles_with_each_cohort():
    seen = windows(with_feedback(), "+" * 20)
    assert seen[4] == 10  # after a cohort of 5
    assert seen[14] == 20  # after a cohort of 10
    assert seen[19] == 20  # the limit


def test_growth_by_one_for_each_cohort():
    seen = windows(with_feedback("1/concurrency"), "+" * 18)
    assert seen[4] == 6 and seen[3] == 5
    assert seen[10] == 7 and seen[9] == 6
    assert seen[17] == 8 and seen[16] == 7


def test_constant_fraction_takes_its_reciprocal_of_successes():
    seen = windows(with_feedback("1/3"), "+++++++")
    assert seen == [5, 5, 6, 6, 6, 7, 7]


def test_the_first_failure_is_answered_at_once_and_the_next_ones_after_a_cycle():
    limits = with_feedback(negative="1/4", initial_concurrency=10, failed_cohort_limit=0)
    assert windows(limits, "-" * 9) == [9, 9, 9, 8, 8, 8, 8, 7, 7]


def test_default_feedback_and_cohort_limit_as_logged_by_qmgr():
    """Windows 3, 2, dead; fail_cohorts 0.2, 0.533333, 1.03333."""
    limits = with_feedback()
    one = queue(limits, 5)
    cohorts = []
    for _ in range(3):
        one.failed(limits, REASON)
        cohorts.append((one.window, round(one.fail_cohorts, 5)))
    assert cohorts == [(3, 0.2), (2, 0.53333), (0, 1.03333)]
    assert one.reason == REASON
    assert not one.open


def test_a_window_of_one_dies_with_one_failure():
    limits = with_feedback(initial_concurrency=1)
    one = queue(limits, 1)
    one.failed(limits, REASON)
    assert one.reason == REASON


def test_a_success_in_between_forgives_failed_cohorts():
    limits = with_feedback(negative="0", initial_concurrency=4)
    one = queue(limits, 4)
    for event in "---+---":
        (one.succeeded(limits) if event == "+" else one.failed(limits, REASON))
    assert one.reason is None
    one.failed(limits, REASON)
    one.failed(limits, REASON)
    assert one.reason is not None


def test_no_feedback_and_no_cohort_limit_make_immune():
    limits = with_feedback("0", "0", failed_cohort_limit=0)
    assert set(windows(limits, "-" * 500)) == {5}


def test_a_window_much_wider_than_its_use_does_not_grow():
    limits = with_feedback()
    one = queue(limits, 1)
    for _ in range(100):
        one.succeeded(limits)
    assert one.window == 6  # 1 busy + 5


def test_back_from_the_grave_with_what_is_busy():
    limits = with_feedback()
    one = queue(limits, 3)
    for _ in range(3):
        one.failed(limits, REASON)
    assert one.window == 0
    one.succeeded(limits)
    assert (one.window, one.reason) == (3, None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"rate_delay": 0.5}, (1, 1)),
        ({"concurrency_limit": 2}, (2, 2)),
        ({"concurrency_limit": 0}, (5, 0)),
        ({"initial_concurrency": 0}, (1, 20)),
    ],
)
def test_limits_that_bound_one_another(given, expected):
    limits = Limits(**given)
    assert (limits.initial_concurrency, limits.concurrency_limit) == expected


def test_no_limit_lets_the_window_grow_without_end():
    assert windows(with_feedback(concurrency_limit=0), "+" * 60)[-1] == 65
