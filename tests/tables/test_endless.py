"""Regular expressions that would match for ever."""

import time

import pytest

from mailer.message.status import TemporaryError
from mailer.tables.rules import TIME_LIMIT

KEY = "a" * 60 + "!"


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
