"""main.cf text to entries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.config.errors import ConfigError
from mailer.config.maincf import parse_main


def values(text):
    return {name: entry.value for name, entry in parse_main(text).entries.items()}


def test_comments_blank_lines_and_continuations():
    text = "# c\n\nx = 1\n\n  2\n# c\n   3\n  # d\n\t4\ny=2\nempty =\nlater =\n   5  \n"
    assert values(text) == {"x": "1  2   3\t4", "y": "2", "empty": "", "later": "5"}


def test_places_are_those_of_the_first_line():
    parsed = parse_main("\n# c\nx = 1\n  2\ny = 3", "/etc/main.cf")
    assert [(entry.file, entry.line) for entry in parsed.entries.values()] == [("/etc/main.cf", 3), ("/etc/main.cf", 5)]


def test_a_value_keeps_hash_quotes_equals_and_carriage_returns_go():
    assert values('x = a # b\r\ny = "q"\nz == 3\nx_1 = ${{a} == {b}}\n') == {
        "x": "a # b",
        "y": '"q"',
        "z": "= 3",
        "x_1": "${{a} == {b}}",
    }


def test_the_last_setting_wins_and_the_earlier_one_is_told():
    parsed = parse_main("x = 1\ny = 2\nx = 3\n", "main.cf")
    assert values("x = 1\ny = 2\nx = 3\n") == {"x": "3", "y": "2"}
    assert [str(problem) for problem in parsed.problems] == ["main.cf, line 3: overriding earlier entry: x=1"]


def test_a_continuation_of_nothing_is_told_and_skipped():
    parsed = parse_main("  x = 1\ny = 2\n", "main.cf")
    assert list(parsed.entries) == ["y"]
    assert "logical line must not start with whitespace" in str(parsed.problems[0])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1\nfoo\n", "main.cf, line 2: missing '=' after attribute name: \"foo\" (write name = value)"),
        ("= 1\n", 'main.cf, line 1: missing attribute name: "= 1" (write name = value)'),
        ("\na b = 1\n", "main.cf, line 2: missing '=' after attribute name: \"a b = 1\" (write name = value)"),
        ("x = a\0b\n", "main.cf, line 1: a NUL byte (main.cf is text)"),
    ],
)
def test_errors_have_a_place(text, problem):
    with pytest.raises(ConfigError) as caught:
        parse_main(text, "main.cf")
    assert str(caught.value) == problem


@given(st.text(alphabet="x= \t\n#\r\0é{", max_size=40))
def test_anything_else_is_a_config_error(text):
    try:
        for name, entry in parse_main(text).entries.items():
            assert name == entry.name and name.strip() == name and entry.value.strip(" \t\r\n") == entry.value
    except ConfigError as error:
        assert str(error)


@given(st.dictionaries(st.text("abz_", min_size=1, max_size=8), st.text("abz$#{} ,=", max_size=12), max_size=5))
def test_what_is_written_is_read(settings):
    settings = {name: value.strip() for name, value in settings.items()}
    assert values("".join(f"{name} = {value}\n" for name, value in settings.items())) == settings
