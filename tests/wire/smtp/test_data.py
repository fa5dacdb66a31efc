"""Content readers against a plain line-by-line account of the rules, however the octets arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.wire.smtp.data import ChunkReader, DataReader

ODD = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"a", b"\r\n.\r\n", b"\n.\n", b"\r\r\n", b"..", b"text"]),
    max_size=24,
).map(b"".join)
CUTS = st.lists(st.integers(0, 80), max_size=8)


def pieces(octets: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({0, *(cut for cut in cuts if cut < len(octets)), len(octets)})
    return [octets[start:end] for start, end in zip(marks, marks[1:], strict=False)]


def by_the_line(octets: bytes, strict: bool) -> tuple[bytes, bytes | None]:
    """The content, and what stands behind the end of data, or None if it does not end."""
    content = b""
    after_crlf = True
    while b"\n" in octets:
        line, _, octets = octets.partition(b"\n")
        crlf = line.endswith(b"\r")
        text = line.removesuffix(b"\r") if strict else line.rstrip(b"\r")
        if text == b"." and (not strict or (crlf and after_crlf)):
            return content, octets
        after_crlf = crlf
        if text != b".":
            content += text.removeprefix(b".") + b"\r\n"
    return content, None


def read(octets: list[bytes], strict: bool) -> tuple[bytes, DataReader, bytes]:
    reader = DataReader(strict)
    content = rest = b""
    for piece in octets:
        if reader.ended:
            rest += piece
        else:
            content += reader.feed(piece)
            rest = reader.rest
    return content, reader, rest


@pytest.mark.parametrize("strict", [True, False])
@given(octets=ODD, cuts=CUTS)
def test_as_by_the_line(strict: bool, octets: bytes, cuts: list[int]) -> None:
    octets += b"\r\n.\r\ntail"
    expected, tail = by_the_line(octets, strict)
    content, reader, rest = read(pieces(octets, cuts), strict)
    assert reader.ended
    assert content == expected
    assert rest == tail


@pytest.mark.parametrize("strict", [True, False])
@given(octets=ODD)
def test_octet_by_octet(strict: bool, octets: bytes) -> None:
    octets += b"\r\n.\r\n"
    whole, _, _ = read([octets], strict)
    single, reader, _ = read([octets[at : at + 1] for at in range(len(octets))], strict)
    assert reader.ended
    assert single == whole


@pytest.mark.parametrize("strict", [True, False])
def test_ordinary_message(strict: bool) -> None:
    content, reader, rest = read([b"Subject: x\r\n\r\n..dot\r\n.x\r\n.\r\nQUIT\r\n"], strict)
    assert content == b"Subject: x\r\n\r\n.dot\r\nx\r\n"
    assert (reader.ended, reader.bare, rest) == (True, False, b"QUIT\r\n")


def test_empty_message() -> None:
    content, reader, rest = read([b".\r\n"], True)
    assert (content, reader.ended, rest) == (b"", True, b"")


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r\r\n", b"\r\n.\r"])
def test_nothing_else_ends_a_message_strictly(end: bytes) -> None:
    content, reader, _ = read([b"a" + end + b"MAIL FROM:<smuggled@example.org>"], True)
    assert not reader.ended
    content += reader.feed(b"\r\n.\r\nnext")
    assert reader.ended and reader.rest == b"next"
    assert b"\r\n.\r\n" not in content


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r\r\n", b"\r\n.\r\n"])
def test_any_lone_dot_ends_a_message_leniently(end: bytes) -> None:
    content, reader, rest = read([b"a" + end + b"QUIT\r\n"], False)
    assert (content, reader.ended, rest) == (b"a\r\n", True, b"QUIT\r\n")


def test_bare_line_feeds_are_noted_and_made_whole() -> None:
    content, reader, _ = read([b"a\nb\r\n.\r\n"], True)
    assert content == b"a\r\nb\r\n"
    assert reader.bare


def test_a_line_end_cut_in_two_is_not_bare() -> None:
    content, reader, _ = read([b"a\r", b"\nb\r", b"\n.\r", b"\n"], True)
    assert content == b"a\r\nb\r\n"
    assert reader.ended and not reader.bare


def test_many_dots_take_no_longer_than_many_letters() -> None:
    octets = b"..\r\n" * 50_000 + b".\r\n"
    content, reader, _ = read([octets[at : at + 65536] for at in range(0, len(octets), 65536)], False)
    assert reader.ended
    assert content == b".\r\n" * 50_000


def test_endless_carriage_returns_are_not_kept() -> None:
    reader = DataReader(False)
    for _ in range(50):
        reader.feed(b"\r" * 1000)
    assert len(reader.waiting) <= 1000


def test_what_waits_is_known() -> None:
    reader = DataReader(True)
    assert reader.waiting == b""
    assert reader.feed(b"x\r\n") == b"x"
    assert reader.waiting == b"\r\n"


@given(octets=ODD, cuts=CUTS, more=st.binary(max_size=5))
def test_chunk_is_counted(octets: bytes, cuts: list[int], more: bytes) -> None:
    reader = ChunkReader(len(octets))
    content = rest = b""
    for piece in pieces(octets + more, cuts):
        if reader.ended:
            rest += piece
        else:
            content += reader.feed(piece)
            rest = reader.rest
    assert reader.ended
    assert rest == more
    assert content.replace(b"\r\n", b"\n") == octets.replace(b"\r\n", b"\n")
    assert content.count(b"\n") == content.count(b"\r\n")
    assert reader.bare == (octets.count(b"\n") != octets.count(b"\r\n"))


def test_dots_mean_nothing_in_a_chunk() -> None:
    reader = ChunkReader(9)
    assert reader.feed(b"a\r\n.\r\n..x") == b"a\r\n.\r\n..x"[:9]
    assert reader.ended


def test_empty_chunk() -> None:
    reader = ChunkReader(0)
    assert reader.ended


def test_line_end_across_two_chunks() -> None:
    first = ChunkReader(2)
    assert first.feed(b"a\r") == b"a\r"
    second = ChunkReader(2, first.after_cr)
    assert second.feed(b"\nb") == b"\nb"
    assert not second.bare
