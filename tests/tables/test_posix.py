"""POSIX regular expressions: what matches, and what is an error in which words. The expectations are glibc's."""

import pytest

from mailer.tables.posix import PosixError, compile


def spans(pattern, key, extended=True, ignore_case=True, newline=False):
    regex, groups = compile(pattern, extended, ignore_case, newline)
    match = regex.search(key)
    return None if match is None else [match.span(number) for number in range(groups + 1)]


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        (b"^a.c$", b"ABC", [(0, 3)]),
        (b"a|b", b"xb", [(1, 2)]),
        (b"(a)(b)?", b"a", [(0, 1), (0, 1), (-1, -1)]),
        (b"[[:digit:]]+", b"a12", [(1, 3)]),
        (b"[^[:alpha:]]", b"ab1", [(2, 3)]),
        (b"[]x]", b"]", [(0, 1)]),
        (b"[^]x]", b"]x", None),
        (b"[a\\]", b"\\", [(0, 1)]),
        (b"[a-]", b"-", [(0, 1)]),
        (b"[[.-.]a]", b"-", [(0, 1)]),
        (b"[[=a=]]", b"a", [(0, 1)]),
        (b"a{2}", b"aa", [(0, 2)]),
        (b"a{,2}$", b"aaa", [(1, 3)]),
        (b"a{1,}", b"aaa", [(0, 3)]),
        (b"a**", b"aa", [(0, 2)]),
        (b"a+?$", b"aa", [(0, 2)]),
        (b"()", b"", [(0, 0), (0, 0)]),
        (b"a)", b"a)", [(0, 2)]),
        (b"(a)\\1", b"aA", [(0, 2), (0, 1)]),
        (b"\\.", b"a", None),
        (b"a/b", b"a/b", [(0, 3)]),
        (b"\\<b", b"a b", [(2, 3)]),
        (b"a\\>", b"ab a", [(3, 4)]),
        (b"\\w\\W\\s\\S", b"a- x", [(0, 4)]),
        (b"a.b", b"a\nb", [(0, 3)]),
        (b"a$", b"a\n", None),
        (b"\\d", b"d", None),
        (b"{", b"{", "Invalid preceding regular expression"),
    ],
)
def test_extended(pattern, key, expected):
    if isinstance(expected, str):
        with pytest.raises(PosixError, match=expected):
            compile(pattern, True, True, False)
    else:
        assert spans(pattern, key) == expected


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        (b"\\(a\\)", b"a", [(0, 1), (0, 1)]),
        (b"(a)", b"(a)", [(0, 3)]),
        (b"a\\{2\\}", b"aa", [(0, 2)]),
        (b"a{2}", b"a{2}", [(0, 4)]),
        (b"a\\|b", b"b", [(0, 1)]),
        (b"a|b", b"a|b", [(0, 3)]),
        (b"*a", b"*a", [(0, 2)]),
        (b"^*a", b"*a", [(0, 2)]),
        (b"a^b$c", b"a^b$c", [(0, 5)]),
        (b"\\(^a$\\)", b"a", [(0, 1), (0, 1)]),
        (b"a\\+", b"aa", [(0, 2)]),
    ],
)
def test_basic(pattern, key, expected):
    assert spans(pattern, key, extended=False) == expected


def test_newline_mode():
    assert spans(b"^b$", b"a\nb\nc", newline=True) == [(2, 3)]
    assert spans(b"a.b", b"a\nb", newline=True) is None
    assert spans(b"[^x]b", b"\nb", newline=True) is None


def test_case():
    assert spans(b"[a-c]", b"B", ignore_case=False) is None
    assert spans(b"[[:upper:]]", b"b") == [(0, 1)]
    assert spans(b"[[:upper:]]", b"b", ignore_case=False) is None
    assert spans(b"[Z-a]", b"q", ignore_case=False) is None


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (b"a(b", "Unmatched ( or \\("),
        (b"[", "Invalid regular expression"),
        (b"[a", "Unmatched [, [^, [:, [., or [="),
        (b"[[:alpha:", "Unmatched [, [^, [:, [., or [="),
        (b"[[:foo:]]", "Invalid character class name"),
        (b"[z-a]", "Invalid range end"),
        (b"[a-c-e]", "Invalid range end"),
        (b"[a-[:digit:]]", "Invalid range end"),
        (b"[[.aa.]]", "Invalid collation character"),
        (b"*a", "Invalid preceding regular expression"),
        (b"^*", "Invalid preceding regular expression"),
        (b"a|*b", "Invalid preceding regular expression"),
        (b"a{1", "Unmatched \\{"),
        (b"a{x}", "Invalid content of \\{\\}"),
        (b"a{2,1}", "Invalid content of \\{\\}"),
        (b"a{32768}", "Regular expression too big"),
        (b"(a)\\2", "Invalid back reference"),
        (b"(a\\1)", "Invalid back reference"),
        (b"a\\", "Trailing backslash"),
        (b"(" * 500 + b")" * 500, "Regular expression too big"),
    ],
)
def test_errors(pattern, problem):
    with pytest.raises(PosixError) as caught:
        compile(pattern, True, True, False)
    assert str(caught.value) == problem


def test_documented_difference_first_alternative_not_the_longest():
    """POSIX would give ``ab`` to the first group."""
    assert spans(b"(a|ab)(c|bcd)(d*)", b"abcd") == [(0, 4), (0, 1), (1, 4), (4, 4)]
