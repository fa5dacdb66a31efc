"""Perl-compatible regular expressions. The expectations are PCRE2's."""

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.tables.perl import PerlError, compile


def texts(pattern, key, flags="is"):
    """The texts of the groups, None where there is none; or None when nothing matches."""
    translated = compile(pattern, flags)
    match = translated.regex.search(key)
    if match is None:
        return None
    return [match[0]] + [
        next((match[place] for place in group if match[place] is not None), None) for group in translated.groups
    ]


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        (rb"^(?!owner-)(.*)-outgoing@(.*)", b"list-outgoing@x", [b"list-outgoing@x", b"list", b"x"]),
        (rb"^(?!owner-)(.*)-outgoing@(.*)", b"Owner-list-outgoing@x", None),
        (rb"a.b", b"a\nb", [b"a\nb"]),
        (rb"a\Nb", b"a\nb", None),
        (rb"^a$", b"a\n", [b"a"]),
        (rb"a\z", b"a\n", None),
        (rb"a\Z", b"a\n", [b"a"]),
        (rb"(?<x>a)\k<x>", b"aa", [b"aa", b"a"]),
        (rb"(?P<x>a)(?P=x)", b"aa", [b"aa", b"a"]),
        (rb"(a)\g{-1}\g1", b"aaa", [b"aaa", b"a"]),
        (rb"a(?i)b|c", b"C", [b"C"]),
        (rb"(?-i)a(?i)b", b"aB", [b"aB"]),
        (rb"(?-i)a(?i)b", b"AB", None),
        (rb"(?-i:a)b", b"aB", [b"aB"]),
        (rb"(?s-i:A.)b", b"A\nB", [b"A\nB"]),
        (rb"(?|a(b)|c(d))\1", b"cdd", [b"cdd", b"d"]),
        (rb"(?<=ab|c)d", b"cd", [b"d"]),
        (rb"(?<!ab|c)d", b"cd", None),
        (rb"\Qa.b\E+", b"a.bb", [b"a.bb"]),
        (rb"[\Qa-c\E]+", b"-b", [b"-"]),
        (rb"[[:alpha:]\d-]+", b"a1-", [b"a1-"]),
        (rb"[^[:^digit:]]+", b"a12", [b"12"]),
        (rb"[]a]+", b"]a", [b"]a"]),
        (rb"\h+", b"\t \xa0", [b"\t \xa0"]),
        (rb"\R", b"\r\n", [b"\r\n"]),
        (rb"\x41\x{42}\103\o{104}\cA", b"abcd\x01", [b"abcd\x01"]),
        (rb"\pL+\PL", b"ab1", [b"ab1"]),
        (rb"a(?#comment)b", b"ab", [b"ab"]),
        (rb"(a)?(?(1)b|c)", b"ab", [b"ab", b"a"]),
        (rb"^(a)?(?(1)b|c)$", b"c", [b"c", None]),
        (rb"x{,2}", b"x{,2}", [b"x{,2}"]),
        (rb"\1(a)", b"aa", None),
        (rb"foo\Kbar(x)", b"foobarx", [b"foobarx", b"x"]),
    ],
)
def test_matches(pattern, key, expected):
    assert texts(pattern, key) == expected


@pytest.mark.skipif(sys.version_info < (3, 11), reason="atomic groups need Python 3.11")
@pytest.mark.parametrize(("pattern", "key"), [(rb"(?>a+)ab", b"aaab"), (rb"a++ab", b"aaab")])
def test_atomic(pattern, key):
    assert texts(pattern, key) is None


@pytest.mark.parametrize(
    ("flags", "pattern", "key", "expected"),
    [
        ("", rb"A", b"a", None),
        ("i", rb"a.b", b"a\nb", None),
        ("m", rb"^b$", b"a\nb\nc", [b"b"]),
        ("m", rb"^$", b"a\n", None),
        ("x", b" a b # comment\n c [ ]", b"abc ", [b"abc "]),
        ("A", rb"b|a", b"xa", None),
        ("E", rb"a$", b"a\n", None),
        ("U", rb"(a+)(a*?)", b"aaa", [b"aaa", b"a", b"aa"]),
    ],
)
def test_flags(flags, pattern, key, expected):
    assert texts(pattern, key, flags) == expected


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (rb"a(b", "offset 3: missing closing parenthesis"),
        (rb"a)", "offset 1: unmatched closing parenthesis"),
        (rb"[abc", "offset 4: missing terminating ] for character class"),
        (rb"*a", "offset 0: quantifier does not follow a repeatable item"),
        (rb"a**", "offset 2: quantifier does not follow a repeatable item"),
        (rb"^+a", "offset 1: quantifier does not follow a repeatable item"),
        (rb"a{2,1}", "offset 5: numbers out of order in {} quantifier"),
        (rb"x{65536}", "offset 7: number too big in {} quantifier"),
        (rb"[[:foo:]]", "offset 3: unknown POSIX class name"),
        (rb"[:alpha:]", "offset 0: POSIX named classes are supported only within a class"),
        (rb"[z-a]", "offset 3: range out of order in character class"),
        (rb"[a-\d]", "offset 5: invalid range in character class"),
        (rb"(?P<n>a)(?P<n>b)", "offset 14: two named subpatterns have the same name (PCRE2_DUPNAMES not set)"),
        (rb"(a)\2", "offset 4: reference to non-existent subpattern"),
        (b"a\\", "offset 2: \\ at end of pattern"),
        (rb"\y", "offset 2: unrecognized character follows \\"),
        (rb"(?R)", "recursion and subroutine calls are not supported here"),
        (rb"(*ACCEPT)", "(*VERB) not recognized or malformed"),
        (b"(" * 500, "parentheses are too deeply nested"),
    ],
)
def test_errors(pattern, problem):
    with pytest.raises(PerlError) as caught:
        compile(pattern, "is")
    assert str(caught.value).startswith("error in regex at offset ")
    assert problem in str(caught.value)


PIECES = [
    b"a",
    b"*",
    b"(",
    b")",
    b"[",
    b"]",
    b"\\",
    b"?",
    b"{1,2}",
    b"|",
    b"^",
    b"(?i)",
    b"(?<n>",
    b"\\1",
    b"[:",
    b"-",
    b"x",
    b"\xff",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from(["", "is", "imsxAEU"]))
def test_anything_is_accepted_or_a_declared_error(pieces, flags):
    try:
        translated = compile(b"".join(pieces), flags)
    except PerlError as error:
        assert re.match(r"error in regex at offset \d+: .", str(error))
    else:
        assert all(place <= translated.regex.groups for group in translated.groups for place in group)
        translated.regex.search(b"aax\n")


def test_what_python_and_pcre_share_is_left_as_it_is():
    assert compile(rb"^(.*)@example\.com$", "is").regex.pattern == rb"\A(.*)@example\.com$"
