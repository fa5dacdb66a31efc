"""aliases(5) text. The expectations are what postalias stores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.tables.aliases import alias_entries, external, tokens


def parsed(text, utf8=True):
    warnings = []
    return [(name, value) for _, name, value in alias_entries(text, "a", warnings.append, utf8)], warnings


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("root: me", "root", "me"),
        ("Post Master:a,b", "Post Master", "a, b"),
        ('"quo ted": b', "quo ted", "b"),
        ('"a:b": c', "a:b", "c"),
        ('"a@x": y', "a@x", "y"),
        (r"\|esc: x", "|esc", "x"),
        ('"": x', "", "x"),
        ("a.b : c", "a.b", "c"),
        ("foo (comment): bar", "foo (comment)", "bar"),
        ("g: h\n  i,\n  j", "g", "h i, j"),
        ('o: "|cmd a b", /file, :include:/x', "o", '"|cmd a b", /file, :include:/x'),
        (r'c: "|cmd \"x y\" \\n a\b"', "c", r'"|cmd \"x y\" \\n ab"'),
        (r"u: \user, \user@dom", "u", "user, user@dom"),
        ("n: Name <a@b>, <c@d>", "n", "Name <a@b>, <c@d>"),
        ("s: val    cont: z", "s", "val cont:z"),
        ("m: ,,x,", "m", ", , x, "),
        ("d: [1.2.3.4], u@[1.2.3.4]", "d", "[1.2.3.4], u@[1.2.3.4]"),
        ("l: group: a, b;, c", "l", "group:a, b;, c"),
        ('x: "unclosed x', "x", '"unclosed x"'),
        ("x: (unclosed x", "x", "(unclosed x"),
        ("x: [unclosed x", "x", "[unclosed x]"),
        (r"x: c\,d e\ f", "x", '"c,d" "e f"'),
        ('x: "a\tb"', "x", '"a b"'),
        ("x: (c (d) e)f", "x", "(c (d) e) f"),
        ("é: ü", "é", "ü"),
    ],
)
def test_entries(line, name, value):
    assert parsed(line + "\n") == ([(name, value)], [])


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("noval:", "a, line 1: need name:value pair"),
        ("no colon", "a, line 1: need name:value pair"),
        (": x", "a, line 1: need name:value pair"),
        ("a,b: x", "a, line 1: need name:value pair"),
        ('"un: n', "a, line 1: need name:value pair"),
        ("x@y: e", "a, line 1: name must be local"),
        ("<c@d>: e", "a, line 1: name must be local"),
        ("a\udcff: b", 'a, line 1: non-UTF-8 input "a?: b" -- ignoring this line'),
        (" x: y", 'a: logical line must not start with whitespace: " x: y"'),
    ],
)
def test_lines_that_give_nothing(line, warning):
    assert parsed(line + "\n") == ([], [warning])


@given(st.text(alphabet='ab,:;<>@."\\()[] \t\u00e9', max_size=30))
def test_values_in_normal_form_stay_as_they_are(text):
    once = external(tokens(text))
    assert external(tokens(once)).split() == once.split()
