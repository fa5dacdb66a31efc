"""What travels between two daemons: a header, which is a JSON array, and octets that are nobody's business but theirs.

    length of the header (4 octets), length of the body (4 octets), header, body

JSON and never pickle: the other side may have been taken over, and must not get more than a wrong answer through. Lengths
are bounded before anything is kept.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["MOST_BODY", "MOST_HEADER", "FrameError", "Unpacker", "pack"]

#: A header names all recipients of a message: 300,000 of them.
MOST_HEADER = 1 << 24
#: A body is the content of a message that lies in no file of its own, or a piece of something bigger.
MOST_BODY = 1 << 18

_LENGTHS = struct.Struct("!II")
_PREFIX = _LENGTHS.size
_pack, _unpack = _LENGTHS.pack, _LENGTHS.unpack_from
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_decode = json.JSONDecoder().decode


class FrameError(Exception):
    """What came is no frame, or one beyond the bounds; what is to be sent would be."""


def pack(header: list[Any], body: bytes = b"") -> bytes:
    """A frame. :raise FrameError: it is too long."""
    data = _encode(header).encode("ascii")
    if len(data) > MOST_HEADER or len(body) > MOST_BODY:
        raise FrameError(f"a frame of {len(data)} and {len(body)} octets")
    return b"".join((_pack(len(data), len(body)), data, body))


class Unpacker:
    """Takes octets as they come, gives frames."""

    __slots__ = ("_held", "_wanted")

    def __init__(self) -> None:
        self._held = bytearray()
        self._wanted = _PREFIX

    def feed(self, data: bytes) -> Iterator[tuple[list[Any], bytes]]:
        """:return: header and body of each frame that is complete now. :raise FrameError: nothing more can be read."""
        held = self._held
        if held:
            held += data
            if len(held) < self._wanted:
                return
            data = bytes(held)
            held.clear()
        at, end = 0, len(data)
        while end - at >= _PREFIX:
            header_length, body_length = _unpack(data, at)
            if header_length > MOST_HEADER or body_length > MOST_BODY:
                raise FrameError(f"a frame of {header_length} and {body_length} octets is announced")
            middle = at + _PREFIX + header_length
            following = middle + body_length
            if following > end:
                self._wanted = following - at
                held += data[at:]
                return
            yield _header(data[at + _PREFIX : middle]), data[middle:following]
            at = following
        self._wanted = _PREFIX
        held += data[at:]


def _header(data: bytes) -> list[Any]:
    try:
        header = _decode(data.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise FrameError("a header that is no JSON") from error
    if type(header) is not list or not header:
        raise FrameError("a header that is no array")
    return header
