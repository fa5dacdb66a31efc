"""Computations that would take for ever end, and what is going on around them is not hurt."""

import re
import signal
import threading
import time

import pytest

from mailer.plugins.timelimit import Overrun, within, within_wall

KEY = "a" * 60 + "!"


def test_results_and_errors_pass():
    assert within(1, pow, 2, 10) == 1024
    with pytest.raises(ZeroDivisionError):
        within(1, divmod, 1, 0)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(a?){30}a{61}"])
def test_a_match_without_end_ends(pattern):
    began = time.process_time()
    with pytest.raises(Overrun):
        within(0.1, re.compile(pattern).search, KEY)
    assert time.process_time() - began < 2


def test_a_timer_that_fires_late_hurts_nobody():
    with pytest.raises(Overrun):
        within(0.01, re.compile("(a|aa)+$").search, KEY)
    signal.raise_signal(signal.SIGVTALRM)
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass


def test_in_other_threads_nothing_is_bounded_and_nothing_breaks():
    results = []
    thread = threading.Thread(target=lambda: results.append(within(0.001, sum, range(10**6))))
    thread.start()
    thread.join()
    assert results == [sum(range(10**6))]


def test_a_signal_that_somebody_else_uses_stays_his():
    before = signal.signal(signal.SIGVTALRM, signal.SIG_IGN)
    try:
        assert within(0.001, sum, range(10**6)) == sum(range(10**6))
        assert signal.getsignal(signal.SIGVTALRM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGVTALRM, before)


def test_what_waits_is_ended_by_the_clock_on_the_wall():
    with pytest.raises(Overrun):
        within_wall(0.05, time.sleep, 60)


def test_one_within_another():
    def outer():
        with pytest.raises(Overrun):
            within_wall(0.02, time.sleep, 60)
        time.sleep(60)

    began = time.monotonic()
    with pytest.raises(Overrun):
        within_wall(0.2, outer)
    assert time.monotonic() - began < 30
