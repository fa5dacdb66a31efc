"""Frames: whole, byte by byte, many at once; what is no frame is refused before it is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.ipc.framing import MOST_BODY, MOST_HEADER, FrameError, Unpacker, pack

FRAMES = [
    (["queue", 1, "4Xk3", "sch\udcf6n", None, [1.5, True]], b"Subject: x\r\n\r\n"),
    (["ping", 2], b""),
    ([0], b"\0" * 70000),
]


def unpack(*pieces):
    unpacker = Unpacker()
    return [frame for piece in pieces for frame in unpacker.feed(piece)]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 4096, 1 << 20])
def test_frames_arrive_however_they_are_cut(size):
    octets = b"".join(pack(*frame) for frame in FRAMES)
    assert unpack(*(octets[at : at + size] for at in range(0, len(octets), size))) == FRAMES


def test_a_frame_comes_as_soon_as_it_is_complete():
    first, second = pack(*FRAMES[0]), pack(*FRAMES[1])
    unpacker = Unpacker()
    assert list(unpacker.feed(first + second[:5])) == FRAMES[:1]
    assert list(unpacker.feed(second[5:-1])) == []
    assert list(unpacker.feed(second[-1:])) == FRAMES[1:2]


@pytest.mark.parametrize(
    "octets",
    [
        (MOST_HEADER + 1).to_bytes(4, "big") + bytes(4),
        bytes(4) + (MOST_BODY + 1).to_bytes(4, "big"),
        b"\0\0\0\2\0\0\0\0{}",
        b"\0\0\0\2\0\0\0\0[]",
        b"\0\0\0\1\0\0\0\0[",
        b"\0\0\0\2\0\0\0\0\xff\xff",
        (200000).to_bytes(4, "big") + bytes(4) + b"[" * 200000,
    ],
)
def test_nonsense_is_refused(octets):
    with pytest.raises(FrameError):
        unpack(octets)


def test_what_is_too_long_is_not_sent():
    with pytest.raises(FrameError):
        pack(["x"], bytes(MOST_BODY + 1))


@given(st.binary(max_size=60), st.integers(1, 20))
def test_any_octets_give_frames_or_the_error(octets, size):
    try:
        for header, body in unpack(*(octets[at : at + size] for at in range(0, len(octets), size))):
            assert type(header) is list and type(body) is bytes
    except FrameError:
        pass
