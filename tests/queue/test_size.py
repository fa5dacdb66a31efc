"""Message sizes as Postfix counts them; the figures were taken from Postfix 3.7."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.queue.size import SizeCounter, message_size


@pytest.mark.parametrize(
    ("line", "surplus"), [(0, 0), (127, 0), (128, 1), (2047, 1), (2048, 3), (2049, 3), (3000, 4), (5000, 7)]
)
def test_long_lines_cost_more_than_their_octets(line, surplus):
    content = b"Subject: x\r\n\r\n" + b"y" * line + b"\r\nend\r\n"
    assert message_size(content) == len(content) + surplus


def test_empty_content():
    assert message_size(b"") == 0


@given(st.lists(st.integers(0, 300), max_size=20), st.lists(st.integers(0, 4000), max_size=8))
def test_pieces_add_up(lines, cuts):
    content = b"".join(b"z" * (length * 9) + b"\r\n" for length in lines)
    counter = SizeCounter()
    start = 0
    for cut in sorted(min(cut, len(content)) for cut in cuts):
        counter.feed(content[start:cut])
        start = cut
    counter.feed(content[start:])
    assert counter.size == message_size(content)


def test_octet_by_octet():
    content = b"a" * 130 + b"\r\n" + b"b" * 2050 + b"\r\n\r\n"
    counter = SizeCounter()
    for octet in content:
        counter.feed(bytes([octet]))
    assert counter.size == message_size(content)
