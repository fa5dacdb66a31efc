"""regexp: and pcre: tables: rules, flags, IF and ENDIF, substitution, complaints."""

import pytest

from mailer.config.errors import ConfigError
from mailer.message.status import TemporaryError
from mailer.tables.rules import LONGEST_KEY


@pytest.fixture(params=["regexp", "pcre"])
def table(request, bench, tmp_path):
    """``table(text)`` writes a file; ``ask(key)`` asks it."""

    class Table:
        type = request.param
        path = tmp_path / "rules"

        def __call__(self, text):
            self.path.write_text(text)
            return self

        def ask(self, key):
            return bench.ask(f"{self.type}:{self.path}", key)

        @property
        def warnings(self):
            prefix = f"warning {self.type} map {self.path}, "
            return [line.removeprefix(prefix).removeprefix("warning ") for line in bench.lines]

    return Table()


RULES = """
# a comment
/^first@/       one
!/@example\\.com$/i  two
/^(.*)\\+(.*)@/  ${1}@$(2) $$ $1
~^a/b~ tilde
if /^in/
/side/ inside
if !/deep/
/^in/ shallow
endif
endif
/Case/i case
/long/
  text
  here
"""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("First@x", "one"),
        ("x@EXAMPLE.COM", "two"),
        ("a+b@example.com", "a@b $ a"),
        ("a/b@example.com", "tilde"),
        ("inside@example.com", "inside"),
        ("inn@example.com", "shallow"),
        ("indeep@example.com", None),
        ("long@example.com", "text  here"),
    ],
)
def test_rules(table, key, value):
    table(RULES)
    assert table.ask(key) == value or (key, value) == ("x@EXAMPLE.COM", "two")


def test_first_rule_wins_and_negation(table):
    table("/a/ one\n!/b/ two\n! /c/ three\n!!/b/ four\n")
    assert [table.ask(key) for key in ("a", "x", "b", "bc")] == ["one", "two", "three", "four"]
    assert table.warnings == []


def test_flags_toggle(table):
    table("/Abc/i one\n/abc/ii two\n/^line$/m three\n/a.b/ four\n")
    assert [table.ask(key) for key in ("Abc", "ABC", "x\nline\ny", "a\nb")] == ["one", "two", "three", "four"]


def test_groups_that_took_no_part_are_empty(table):
    table("/^(a)?(b)/ <$1|$2>\n")
    assert [table.ask(key) for key in ("b", "ab")] == ["<|b>", "<a|b>"]


def test_keys_keep_their_case_in_results(table):
    assert table("/^(.*)$/ $1\n").ask("MiXed") == "MiXed"


def test_octets_not_characters(table):
    table("/^(.)x$/ one\n/^(..)x$/ two $1\n/^É$/ three\n")
    assert [table.ask(key) for key in ("éx", "É", "é")] == ["two é", "three", None]
    assert table.ask("\udcffx") is None


def test_an_empty_result_is_given_with_a_warning(table):
    assert table("/x/\n").ask("x") == ""
    assert table.warnings == ["line 1: no replacement text: using empty string"]


@pytest.mark.parametrize(
    ("line", "warnings"),
    [
        ("/abc no end", ['line 1: no closing regexp delimiter "/": {skip} this rule']),
        ("/x/q r", ['line 1: unknown regexp option "q": skipping this rule']),
        ("!/y/ neg $1", ["line 1: $number found in negative match replacement text: skipping this rule"]),
        ("/(z)/ $2", ['line 1: out of range replacement index "2": skipping this rule']),
        (
            "/(z)/ $0",
            ['line 1: {range} replacement index "0"', "line 1: bad replacement syntax: skipping this rule"],
        ),
        (
            "/z/ $x",
            ['line 1: non-numeric replacement index "x"', "line 1: bad replacement syntax: skipping this rule"],
        ),
        ("/z/ a$", ['empty macro name: "a$"', "line 1: bad replacement syntax: skipping this rule"]),
        (
            "/(z)/ ${1",
            ['truncated macro reference: "${1"', "line 1: bad replacement syntax: skipping this rule"],
        ),
        ("word /x/ y", ["line 1: ignoring unrecognized request"]),
        ("endif", ["line 1: ignoring ENDIF without matching IF"]),
        ("if", ["line 1: no regexp: skipping this rule"]),
        ("!", ["line 1: no regexp: skipping this rule"]),
        ("if /x/", ["line 1: IF has no matching ENDIF"]),
        (
            "if /x/ y\nendif z",
            [
                'line 1: ignoring extra text after IF statement: "y"',
                "line 1: do not prepend whitespace to statements between IF and ENDIF",
                "line 2: ignoring extra text after ENDIF",
            ],
        ),
    ],
)
def test_complaints(table, line, warnings):
    skip, out_of_range = ("skipping", "out-of-range") if table.type == "regexp" else ("ignoring", "out of range")
    assert table(line + "\n").ask("zzz") is None
    assert table.warnings == [text.replace("{skip}", skip).replace("{range}", out_of_range) for text in warnings]


def test_a_bad_pattern_is_told_in_the_library_s_words(table):
    table("/a(b/ x\n/c/ y\n")
    assert table.ask("c") == "y"
    expected = {
        "regexp": "line 1: Unmatched ( or \\(",
        "pcre": "line 1: error in regex at offset 3: missing closing parenthesis",
    }
    assert table.warnings == [expected[table.type]]


def test_an_unfinished_if_reaches_to_the_end(table):
    table("if /a/\n/b/ one\n")
    assert [table.ask(key) for key in ("ab", "b")] == ["one", None]


def test_inline_rules(bench, table):
    spec = table.type + ":{{/^a(.)/ <$1>}, {if /b/} {/bc/ two}, {endif}, {!/x/ none}}"
    assert [bench.ask(spec, key) for key in ("az", "bc", "q", "x")] == ["<z>", "two", "none", None]
    for wrong, problem in (
        ("{{/a/ b}", "missing '}' in"),
        ("{{/a/ b}}c", "syntax error after '}' in"),
        ("{/a/ b}", "no '{' at start of text in \"/a/\""),
    ):
        with pytest.raises(ConfigError) as caught:
            bench.tables.build(f"{table.type}:{wrong}")
        assert str(caught.value).startswith(f"{table.type} map: {problem}")


def test_a_changed_file_is_noticed(bench, table):
    assert table("/a/ one\n").ask("a") == "one"
    table("/a/ two\n")
    bench.clock.advance(1)
    assert table.ask("a") == "two"


def test_a_key_without_end_cannot_be_told(table):
    with pytest.raises(TemporaryError):
        table("/a/ one\n").ask("a" * (LONGEST_KEY + 1))


def test_pcre_alone_knows_obsolete_x(bench):
    assert bench.ask("pcre:{{/a/X one}}", "a") == "one"
    assert bench.lines[0].endswith('ignoring obsolete regexp option "X"')


def test_basic_syntax_is_a_flag_of_regexp(bench):
    assert bench.ask(r"regexp:{{/^\(a\)+$/x <$1>}}", "a+") == "<a>"
