"""Computations that would take for ever end, and what is going on around them is not hurt."""

import re
import signal
import threading
import time

import pytest

from mailer.message.status import TemporaryError
from mailer.tables.rules import TIME_LIMIT
from mailer.tables.timelimit import Overrun, within

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


@pytest.mark.parametrize("type", ["regexp", "pcre"])
def test_a_table_cannot_tell_names_the_rule_and_works_on(type, bench, tmp_path):
    (tmp_path / "t").write_text("/^b$/ fine\nif /^a/\n\n/(a|aa)+$/ endless\nendif\n/c/ last\n")
    spec = f"{type}:{tmp_path / 't'}"
    began = time.process_time()
    with pytest.raises(TemporaryError, match="line 4"):
        bench.ask(spec, KEY)
    assert time.process_time() - began < TIME_LIMIT + 2
    (line,) = bench.lines
    assert (
        line
        == f'warning {type} map {tmp_path / "t"}, line 4: no result within 0.5 seconds for a key of 61 characters: "{KEY}"'
    )
    assert [bench.ask(spec, key) for key in ("b", "c", "aaa", "x")] == ["fine", "last", "endless", None]


def test_long_keys_are_bounded_whatever_the_pattern(bench, tmp_path):
    """One repetition tried at every place takes the square of the length."""
    (tmp_path / "t").write_text("/.*x/ v\n")
    with pytest.raises(TemporaryError, match="line 1"):
        bench.ask(f"regexp:{tmp_path / 't'}", "a" * 500_000)
