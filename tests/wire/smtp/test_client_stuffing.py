"""Dots are doubled and long lines broken wherever the chunks end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.wire.smtp.stuffing import Stuffer


def stuff(content, limit=0, step=None):
    stuffer = Stuffer(limit)
    chunks = [content] if step is None else [content[n : n + step] for n in range(0, len(content), step)]
    return b"".join([stuffer.feed(chunk) for chunk in chunks]) + stuffer.finish(), stuffer.broken


def slowly(content, limit):
    """Line by line, as simply as can be said."""
    out = []
    lines = content.split(b"\r\n")
    if not lines[-1]:
        lines.pop()
    for line in lines:
        pieces = [line]
        if limit and len(line) > limit:
            pieces, rest = [line[:limit]], line[limit:]
            while rest:
                pieces.append(b" " + rest[: max(limit - 1, 1)])
                rest = rest[max(limit - 1, 1) :]
        out += [b"." + piece if piece.startswith(b".") else piece for piece in pieces]
    return b"".join(piece + b"\r\n" for piece in out)


@pytest.mark.parametrize("step", [None, 1, 2, 3])
@pytest.mark.parametrize(
    "content, wire",
    [
        (b"", b""),
        (b".\r\n", b"..\r\n"),
        (b"..\r\na.b\r\n.c\r\n", b"...\r\na.b\r\n..c\r\n"),
        (b"a\r\n\r\n.\r\n", b"a\r\n\r\n..\r\n"),
        (b"no end", b"no end\r\n"),
        (b"cr only\r", b"cr only\r\r\n"),
        (b"bare\n.lf\r\n", b"bare\n..lf\r\n"),
    ],
)
def test_dots(content, wire, step):
    assert stuff(content, step=step) == (wire, False)


@pytest.mark.parametrize("step", [None, 1, 7])
@pytest.mark.parametrize("length", [9, 10, 11, 19, 20, 21, 28, 29, 100])
def test_long_lines(length, step):
    content = b"\r\n".join([b"short", b"." + b"x" * (length - 1), b"", b"end", b""])
    assert stuff(content, 10, step) == (slowly(content, 10), length > 10)


def test_a_long_first_line_at_a_boundary_is_broken_at_the_limit():
    assert stuff(b"0123456789abc\r\n", 10, step=10) == (b"0123456789\r\n abc\r\n", True)


def test_a_megabyte_without_line_end():
    wire, broken = stuff(b"x" * 1_000_000 + b"\r\n", 998, step=65536)
    assert broken and max(map(len, wire.split(b"\r\n"))) == 998
    assert wire.replace(b"\r\n ", b"") == b"x" * 1_000_000 + b"\r\n"


lines = st.lists(st.one_of(st.sampled_from([b"", b".", b"..", b".a"]), st.binary(max_size=40)), max_size=12)


@given(lines, st.integers(0, 12), st.integers(1, 50))
def test_as_line_by_line(parts, limit, step):
    content = b"".join(part.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n" for part in parts)
    limit = 0 if limit < 2 else limit
    assert stuff(content, limit, step)[0] == stuff(content, limit)[0] == slowly(content, limit)
