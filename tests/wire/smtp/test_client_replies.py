"""Replies from octets: however they arrive, whatever they hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.wire.smtp.replies import GARBAGE, ReplyParser


def feed_all(octets, limit=2048, step=None):
    parser = ReplyParser(limit)
    if step is None:
        return parser.feed(octets)
    return [r for start in range(0, len(octets), step) for r in parser.feed(octets[start : start + step])]


def seen(replies):
    return [(reply.code, reply.text, reply.excess) for reply in replies]


CASES = {
    b"250 2.0.0 Ok\r\n": [(250, "250 2.0.0 Ok")],
    b"250 Ok\n": [(250, "250 Ok")],
    b"250\r\n": [(250, "250")],
    b"250 \r\n": [(250, "250 ")],
    b"250-a\r\n250-b\r\n250 c\r\n": [(250, "250-a\n250-b\n250 c")],
    b"250-a\r\n550 c\r\n": [(550, "250-a\n550 c")],
    b"250 a\r\n354 b\r\n421 c\r\n": [(250, "250 a"), (354, "354 b"), (421, "421 c")],
    b"oops\r\n250 a\r\n": [(GARBAGE, "oops"), (250, "oops\n250 a")],
    b"\r\n": [(GARBAGE, "")],
    b"25 a\r\n": [(GARBAGE, "25 a")],
    b"2500 a\r\n": [(GARBAGE, "2500 a")],
    b"250\ta\r\n": [(GARBAGE, "250?a")],
    "250 \u00fc \x07\r\n".encode(): [(250, "250 \u00fc ?")],
    b"250 \xff\xc3\xa4\r\n": [(250, "250 ?\u00e4")],
}


@pytest.mark.parametrize("octets, expected", CASES.items(), ids=range(len(CASES)))
@pytest.mark.parametrize("step", [None, 1, 3])
def test_replies(octets, expected, step):
    expected = [(*each, False) for each in expected]
    assert seen(feed_all(octets, step=step)) == expected
    assert seen(feed_all(octets + b"250 incompl", step=step)) == expected


@pytest.mark.parametrize("step", [None, 1, 7])
def test_a_line_over_the_limit_is_cut_and_the_next_one_is_whole(step):
    replies = feed_all(b"550 " + b"x" * 100 + b"\r\n250 ok\r\n", limit=20, step=step)
    assert seen(replies) == [(550, "550 " + "x" * 16, True), (250, "250 ok", False)]


def test_what_exceeds_a_line_is_not_kept_while_it_arrives():
    parser = ReplyParser(50)
    for _ in range(1000):
        assert parser.feed(b"x" * 1000) == []
    assert len(parser._tail) <= 50
    assert [reply.code for reply in parser.feed(b"\r\n250 ok\r\n")] == [GARBAGE, 250]


def test_lines_over_the_limit_of_a_reply_are_dropped_but_not_the_last():
    replies = feed_all(b"".join(b"550-5.0.%d yyyyyyyyyy\r\n" % n for n in range(50)) + b"550 5.1.1 end\r\n", limit=60)
    assert len(replies) == 1 and replies[0].excess
    assert replies[0].last == "550 5.1.1 end" and len(replies[0].text) < 100
    assert replies[0].enhanced == "5.1.1"


def test_a_reply_without_end_ends_all_the_same():
    parser = ReplyParser(100)
    codes = [reply.code for _ in range(300) for reply in parser.feed(b"250-x\r\n" * 100)]
    assert codes and set(codes) == {GARBAGE}


@pytest.mark.parametrize(
    "line, status",
    [
        ("250 2.1.5 Ok", "2.1.5"),
        ("250 Ok", "2.0.0"),
        ("250   2.1.5 spaces", "2.1.5"),
        ("550 5.1.1", "5.1.1"),
        ("550 5.1.1x no", "5.0.0"),
        ("550 4.1.1 contradiction", "5.0.0"),
        ("450 4.1000.1 too many digits", "4.0.0"),
        ("550-5.7.1", "5.7.1"),
        ("354 go ahead", "5.5.0"),
        ("450", "4.0.0"),
    ],
)
def test_enhanced_codes(line, status):
    (reply,) = feed_all(line.replace("-", " ").encode() + b"\r\n")
    assert reply.enhanced == status


def test_only_the_last_line_has_an_enhanced_code_that_counts():
    (reply,) = feed_all(b"550-5.1.1 first\r\n550 5.7.1 last\r\n")
    assert reply.enhanced == "5.7.1" and reply.line == "550-5.1.1 first 550 5.7.1 last"


def test_idle_means_that_nothing_is_half_there():
    parser = ReplyParser()
    parser.feed(b"250 a\r\n")
    assert parser.idle
    parser.feed(b"250-a\r\n")
    assert not parser.idle
    parser.feed(b"250 a\r\n2")
    assert not parser.idle


@given(
    st.lists(st.sampled_from([b"250-a\r\n", b"250 b\n", b"x\r\n", b"\xff\r\n", b"550 " + b"y" * 30 + b"\r\n", b"2"])),
    st.lists(st.integers(0, 40)),
)
def test_boundaries_make_no_difference(pieces, cuts):
    octets = b"".join(pieces)
    places = sorted({0, *(cut for cut in cuts if cut < len(octets)), len(octets)})
    parser = ReplyParser(25)
    split = [r for a, b in zip(places, places[1:], strict=False) for r in parser.feed(octets[a:b])]
    assert seen(split) == seen(ReplyParser(25).feed(octets))


@given(st.binary(max_size=300))
def test_anything_is_a_reply_or_garbage(octets):
    for reply in feed_all(octets, limit=40, step=7):
        assert reply.code == GARBAGE or 0 < reply.code < 1000 or reply.text[:3] == "000"
        assert "\r" not in reply.line and "\n" not in reply.line and reply.enhanced
