"""texthash: and the source text of postmap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.tables.lines import logical_lines
from mailer.tables.source import entries


def parsed(text, utf8=True):
    warnings = []
    return [(key, value) for _, key, value in entries(text, "t", warnings.append, utf8)], warnings


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("a 1\n", [("a", "1")]),
        ("a\t 1  \n", [("a", "1")]),
        ("a 1", [("a", "1")]),
        ("a 1\r\n", [("a", "1")]),
        ("# comment\n\n  \n  # comment\na 1\n", [("a", "1")]),
        ("a 1\n two\n\tthree\n", [("a", "1 two\tthree")]),
        ("a\n 1\n", [("a", "1")]),
        ("a 1\n# comment\n two\n\n  \n three\nb 2\n", [("a", "1 two three"), ("b", "2")]),
        ('"a b" c\n', [('"a b"', "c")]),
        ('a"b c"d e f\n', [('a"b c"d', "e f")]),
        ('"a \\" b" c\n', [('"a \\" b"', "c")]),
        ("a\\ b c\n", [("a\\ b", "c")]),
        ('x y "z w"\n', [("x", 'y "z w"')]),
        ("a b\0c\n", [("a", "b")]),
        ("a\x0bb\n", [("a", "b")]),
        ("a\u00a0b c\n", [("a\u00a0b", "c")]),
        ("v  \\\n", [("v", "\\")]),
        ("A Value\n", [("A", "Value")]),
    ],
)
def test_entries(text, entries):
    assert parsed(text) == (entries, [])


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("key\n", "t, line 1: expected format: key whitespace value"),
        ("key  \n", "t, line 1: expected format: key whitespace value"),
        ('"q r"\n', "t, line 1: expected format: key whitespace value"),
        ("\\\n", "t, line 1: expected format: key whitespace value"),
        ('\n"a b\n', "t, line 2: unbalanced '\"' in '\"a b' -- ignoring this line"),
        (" a b\n", 't: logical line must not start with whitespace: " a b"'),
        ("  " + "x" * 40 + "\n y\n", f't: logical line must not start with whitespace: "  {"x" * 28}..."'),
        ("a\udcff b\n", 't, line 1: non-UTF-8 input "a? b" -- ignoring this line'),
    ],
)
def test_lines_that_give_nothing(text, warning):
    assert parsed(text) == ([], [warning])


def test_octets_that_are_not_utf8_when_nobody_minds():
    assert parsed("a\udcff \udcfe\n", utf8=False) == ([("a\udcff", "\udcfe")], [])


def test_an_alias_file_is_noticed():
    found, warnings = parsed("root: me\n")
    assert found == [("root:", "me")]
    assert warnings == ['t, line 1: record is in "key: value" format; is this an alias file?']


def test_the_first_line_of_several_is_named():
    assert parsed("a 1\nb:\n 2\n 3\n")[1][0].startswith("t, line 2:")


@given(st.text(alphabet='ab \t\n"\\#:\0\r\x0b\u00e9\udcff', max_size=40))
def test_any_text_is_entries_and_warnings(text):
    found, warnings = parsed(text)
    assert all(key and value and "\n" not in key + value for key, value in found)
    assert len(found) + len(warnings) <= 2 * (text.count("\n") + 1)


@given(
    st.lists(st.text(alphabet="ab", min_size=1, max_size=5), max_size=8), st.sampled_from(["", "\n", "# x\n", "  \n"])
)
def test_comments_and_empty_lines_change_nothing(words, between):
    plain = "".join(f"{word}\n" for word in words)
    mixed = between.join([""] + [f"{word}\n" for word in words])
    lines = [line for _, line in logical_lines(mixed, "t", pytest.fail)]
    assert lines == [line for _, line in logical_lines(plain, "t", pytest.fail)] == words


def test_table(bench, tmp_path):
    path = tmp_path / "t"
    path.write_text("Key Value\nkey other\nnothing\n")
    assert bench.ask(f"texthash:{path}", "KEY") == "Value"
    assert bench.ask(f"texthash:{path}", "other") is None
    assert list(bench.tables.open(f"texthash:{path}").items()) == [("key", "Value")]
    assert bench.lines == [
        f'warning {path}, line 2: duplicate entry: "key"',
        f"warning {path}, line 3: expected format: key whitespace value -- ignoring this line",
    ]


def test_a_directory_is_no_table(bench, tmp_path):
    bench.tables.open(f"texthash:{tmp_path}")
    assert bench.lines == [f"error read {tmp_path}: Is a directory"]
