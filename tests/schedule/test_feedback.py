"""The forms that postconf(5) gives for feedback; what qmgr(8) refuses is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.schedule.feedback import parse


@pytest.mark.parametrize(
    ("text", "window", "value"),
    [
        ("1", 5, 1.0),
        ("0", 5, 0.0),
        (" 0.25 ", 5, 0.25),
        ("1/2", 5, 0.5),
        ("1 / 3", 5, 1 / 3),
        (".5/CONCURRENCY", 5, 0.1),
        ("1/concurrency", 20, 0.05),
        ("1/sqrt_concurrency", 16, 0.25),
        ("0.5 / sqrt_concurrency", 4, 0.25),
    ],
)
def test_forms(text, window, value):
    assert parse(text)(window) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["", "bogus", "2", "3/concurrency", "1 / 0", "1/4/2", "-1", "1/", "/2", "4/2", "1/conc", "1e0", "concurrency"],
)
def test_refused(text):
    with pytest.raises(ValueError):
        parse(text)


@given(st.text(max_size=12))
def test_anything_else_is_an_error_or_a_value_between_0_and_1(text):
    try:
        feedback = parse(text)
    except ValueError:
        return
    assert 0 <= feedback(7) <= 1
