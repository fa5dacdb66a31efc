"""Header sections, whole and in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.header import HeaderScanner, join, one_line, shorten, text_of, unfold


def scan(content, sizes=None, limit=102400):
    """Fields, the rest, and whether the section ended abruptly."""
    scanner = HeaderScanner(limit)
    fields, at = [], 0
    sizes = iter(sizes) if sizes is not None else iter(())
    while at < len(content) and not scanner.ended:
        size = next(sizes, len(content))
        fields += scanner.feed(content[at : at + size])
        at += size
    if not scanner.ended:
        fields += scanner.feed(b"", last=True)
    return fields, scanner.rest + content[at:], scanner.abrupt


CASES = {
    "ordinary": (
        b"A: b\r\nC: d\r\n e\r\n\r\nbody\r\n",
        [(b"A", b" b\r\n"), (b"C", b" d\r\n e\r\n")],
        b"\r\nbody\r\n",
        False,
    ),
    "no body": (b"A: b\r\n", [(b"A", b" b\r\n")], b"", False),
    "no fields": (b"\r\nbody\r\n", [], b"\r\nbody\r\n", False),
    "nothing": (b"", [], b"", False),
    "no field": (b"A: b\r\nhello\r\nC: d\r\n", [(b"A", b" b\r\n")], b"hello\r\nC: d\r\n", True),
    "no field, then an empty line": (b"A: b\r\nhello\r\n\r\nx\r\n", [(b"A", b" b\r\n")], b"hello\r\n\r\nx\r\n", True),
    "begins with a blank": (b" A: b\r\n\r\n", [], b" A: b\r\n\r\n", True),
    "blank before the colon": (b"A \t: b\r\n\r\n", [(b"A", b" b\r\n")], b"\r\n", False),
    "empty body": (b"A:\r\nB: \r\n\r\n", [(b"A", b"\r\n"), (b"B", b" \r\n")], b"\r\n", False),
    "bare CR": (b"A: b\rc\r\n\r\n", [(b"A", b" b\rc\r\n")], b"\r\n", False),
    "8 bit name": (b"\xc3\xa4: b\r\n\r\n", [], b"\xc3\xa4: b\r\n\r\n", True),
}


@pytest.mark.parametrize("content, fields, rest, abrupt", CASES.values(), ids=CASES)
def test_sections(content, fields, rest, abrupt):
    assert scan(content) == (fields, rest, abrupt)
    assert scan(content, [1] * len(content)) == (fields, rest, abrupt)
    for cut in range(1, len(content)):
        assert scan(content, [cut]) == (fields, rest, abrupt)


LINES = st.lists(
    st.sampled_from(
        [b"A: b\r\n", b" folded\r\n", b"\tx\r\n", b"B :c\r\n", b"\r\n", b"text\r\n", b"X:" + b"y" * 90 + b"\r\n"]
    ),
    max_size=12,
)


@given(LINES, st.lists(st.integers(1, 60), max_size=30), st.sampled_from([20, 100, 102400]))
def test_pieces_make_no_difference(lines, sizes, limit):
    content = b"".join(lines)
    assert scan(content, sizes, limit) == scan(content, None, limit)


@given(LINES)
def test_nothing_is_lost(lines):
    content = b"".join(lines)
    fields, rest, _ = scan(content)
    assert join(fields) + rest == content.replace(b"B :c", b"B:c", join(fields).count(b"B:c"))


def test_intact_sections_are_given_as_they_came():
    scanner = HeaderScanner(1000)
    fields = scanner.feed(b"A: b\r\n c\r\n\r\n")
    assert scanner.section == b"A: b\r\n c\r\n" == join(fields)
    scanner = HeaderScanner(1000)
    scanner.feed(b"A : b\r\n\r\n")
    assert scanner.section is None


def test_a_field_that_never_ends_is_cut_and_takes_no_memory():
    scanner = HeaderScanner(100)
    fields = scanner.feed(b"A: " + b"x" * 70000)
    for _ in range(200):
        fields += scanner.feed(b"x" * 70000 + b"\r\n y")
        assert len(scanner._buffer) + len(scanner._head) < 200_000
    fields += scanner.feed(b"\r\nB: c\r\n\r\nbody\r\n")
    assert fields == [(b"A", b" " + b"x" * 97 + b"\r\n"), (b"B", b" c\r\n")]
    assert scanner.rest == b"\r\nbody\r\n"


def test_very_many_fields_come_in_portions():
    scanner = HeaderScanner(1000)
    counts = []
    for _ in range(100):
        counts.append(len(scanner.feed(b"A: b\r\n" * 2000)))
        assert len(scanner._buffer) < 100_000
    assert max(counts) > 2000
    assert sum(counts) + len(scanner.feed(b"\r\n")) == 200_000


def test_a_body_without_an_empty_line_is_not_gathered():
    scanner = HeaderScanner(1000)
    fields = scanner.feed(b"A: b\r\n") + scanner.feed(b"x" * 70000)
    assert fields == [(b"A", b" b\r\n")]
    assert scanner.feed(b"x" * 70000) == []
    assert scanner.ended and scanner.abrupt
    assert scanner.rest == b"x" * 140000


def test_whole_lines_for_checks():
    scanner = HeaderScanner(10, whole_lines=True)
    assert scanner.feed(b"A: " + b"x" * 50 + b"\r\n y\r\n\r\n") == [(b"A", b" " + b"x" * 50 + b"\r\n")]


def test_shorten_counts_line_ends_as_one():
    assert shorten(b"A", b" bcd\r\n e\r\n", 9) == b" bcd\r\n e\r\n"
    assert shorten(b"A", b" bcd\r\n e\r\n", 8) == b" bcd\r\n"
    assert shorten(b"A", b" bcd\r\n", 4) == b" b\r\n"


def test_texts():
    assert text_of(b"A", b" b\r\n c\r\n") == "A: b\n c"
    assert unfold(b" b\r\n c \r\n") == "b\n c"
    assert one_line(b" b\r\n c \r\n") == "b c"
