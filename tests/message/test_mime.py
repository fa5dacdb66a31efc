"""The structure of messages, whole and in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.mime import Fields, MimeWalker, NestingExceeded, SectionKind, Text, content_type

PART, NESTED = SectionKind.PART, SectionKind.NESTED
LIMITS = (102400, 2048, 100)


def walk(primary, body, sizes=(), limits=LIMITS):
    """What the walker says, with neighbouring text joined: bytes, and ``(kind, name)`` for each field."""
    walker = MimeWalker([(b"Content-Type", primary)], *limits)
    events, at = [], 0
    for size in [*sizes, len(body)]:
        if at < len(body):
            events += walker.feed(body[at : at + size])
            at += size
    events += walker.feed(b"", last=True)
    told = []
    for event in events:
        if isinstance(event, Fields):
            told += [(event.kind, name) for name, _ in event.fields]
        elif told and isinstance(told[-1], bytes) and not event.fresh:
            told[-1] += event.content
        else:
            told.append(event.content)
    return told


def octets(events):
    return b"".join(
        event.content if isinstance(event, Text) else b"".join(n + b":" + b for n, b in event.fields)
        for event in events
    )


CASES = {
    "one part": (b"multipart/mixed; boundary=b", b"\r\npre\r\n--b\r\nA: 1\r\n\r\ntext\r\n--b--\r\npost\r\n",
                 [b"\r\npre\r\n--b\r\n", (PART, b"A"), b"\r\ntext\r\n--b--\r\npost\r\n"]),
    "at once": (b"multipart/mixed; boundary=b", b"\r\n--b\r\n\r\ntext\r\n--b--\r\n",
                [b"\r\n--b\r\n", b"\r\ntext\r\n--b--\r\n"]),
    "message": (b"message/rfc822", b"\r\nA: 1\r\n\r\ntext\r\n", [b"\r\n", (NESTED, b"A"), b"\r\ntext\r\n"]),
    "message in a part": (b"multipart/mixed; boundary=b",
                          b"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nA: 1\r\n\r\ntext\r\n--b\r\nB: 2\r\n",
                          [b"\r\n--b\r\n", (PART, b"Content-Type"), b"\r\n", (NESTED, b"A"), b"\r\ntext\r\n--b\r\n",
                           (PART, b"B")]),
    "digest": (b"multipart/digest; boundary=b", b"\r\n--b\r\n\r\nA: 1\r\n\r\ntext\r\n",
               [b"\r\n--b\r\n", b"\r\n", (NESTED, b"A"), b"\r\ntext\r\n"]),
    "text": (b"text/plain; boundary=b", b"\r\n--b\r\nA: 1\r\n", [b"\r\n--b\r\nA: 1\r\n"]),
    "hyphens": (b"multipart/mixed; boundary=b", b"\r\n-\r\n--\r\n---\r\n --b\r\n--a\r\n-",
                [b"\r\n-\r\n--\r\n---\r\n --b\r\n--a\r\n-"]),
    "the end in a header": (b"multipart/mixed; boundary=b", b"\r\n--b\r\nA: 1\r\n--b--\r\nB: 2\r\n",
                            [b"\r\n--b\r\n", (PART, b"A"), b"--b--\r\nB: 2\r\n"]),
    "outer boundary closes inner": (
        b"multipart/mixed; boundary=b",
        b"\r\n--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nA: 1\r\n\r\nx\r\n--b\r\nB: 2\r\n\r\n--c\r\nC: 3\r\n",
        [b"\r\n--b\r\n", (PART, b"Content-Type"), b"\r\n--c\r\n", (PART, b"A"), b"\r\nx\r\n--b\r\n", (PART, b"B"),
         b"\r\n--c\r\nC: 3\r\n"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("primary, body, told", CASES.values(), ids=CASES)
def test_structure(primary, body, told):
    assert walk(primary, body) == told
    assert walk(primary, body, [1] * len(body)) == told
    for cut in range(1, len(body)):
        assert walk(primary, body, [cut]) == told


LINES = st.lists(
    st.sampled_from(
        [
            b"\r\n",
            b"--b\r\n",
            b"--b--\r\n",
            b"--bb\r\n",
            b"--c--\r\n",
            b"--c\r\n",
            b"A: 1\r\n",
            b" f\r\n",
            b"text\r\n",
            b"-\r\n",
        ]
        + [b"Content-Type: multipart/mixed; boundary=c\r\n", b"Content-Type: message/rfc822\r\n"]
    ),
    max_size=25,
)


@given(LINES, st.lists(st.integers(1, 40), max_size=40))
def test_pieces_make_no_difference_and_nothing_is_lost(lines, sizes):
    body = b"\r\n" + b"".join(lines)
    primary = b"multipart/mixed; boundary=b"
    assert walk(primary, body, sizes) == walk(primary, body)
    walker = MimeWalker([(b"Content-Type", primary)], *LIMITS)
    assert octets(walker.feed(body) + walker.feed(b"", last=True)) == body


@pytest.mark.parametrize(
    "text, type, boundary",
    [
        (b" text/plain\r\n", "text/plain", b""),
        (b" Multipart/Mixed; Boundary=abc\r\n", "multipart/mixed", b"abc"),
        (b' multipart/mixed;\r\n\tboundary="a \\"b"; x=y\r\n', "multipart/mixed", b'a "b'),
        (b' multipart/mixed (boundary=x); name="a;boundary=y"; boundary=z\r\n', "multipart/mixed", b"z"),
        (b" multipart/mixed\r\n", "multipart/mixed", b""),
        (b" nonsense\r\n", "text/plain", b""),
        (b"", "text/plain", b""),
    ],
)
def test_content_type(text, type, boundary):
    found = content_type(text)
    assert (f"{found.type}/{found.subtype}", found.boundary) == (type, boundary)


def test_nesting_has_a_limit():
    walker = MimeWalker([(b"Content-Type", b"multipart/mixed; boundary=b0")], 102400, 2048, 3)
    body = b"\r\n" + b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(9)
    )
    with pytest.raises(NestingExceeded) as caught:
        walker.feed(body)
    assert caught.value.args[0] == (b"Content-Type", b" multipart/mixed; boundary=b5\r\n")


def test_long_lines_are_not_held():
    walker = MimeWalker([(b"Content-Type", b"multipart/mixed; boundary=b")], *LIMITS)
    events = walker.feed(b"\r\n--" + b"x" * 5000)
    assert octets(events) == b"\r\n--" + b"x" * 5000
    walker = MimeWalker([(b"Content-Type", b"multipart/mixed; boundary=b")], *LIMITS)
    assert octets(walker.feed(b"\r\n--b" + b"x" * 5000)) == b"\r\n--b" + b"x" * 5000
    (section,) = walker.feed(b"\r\nA: 1\r\n\r\n")[1:2]
    assert section.fields == [(b"A", b" 1\r\n")]


def test_hostile_comments_take_no_time():
    assert content_type(b" text/" + b"(" * 9000).type == "text"
    assert content_type(b" text/x " + b"(" * 4000 + b")" * 4000).subtype == "x"
