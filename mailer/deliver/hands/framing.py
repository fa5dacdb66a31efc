"""What travels between this process and a worker: a length of four octets, a JSON header, then ``size`` octets.

One request at a time on each connection, then its answer. A connection that ends in the middle of a request cancels it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["LostConnection", "content", "pack", "read_header", "unpack"]

#: No header is longer; whoever announces more is not understood.
MOST_HEADER = 1 << 18
LENGTH = struct.Struct("!I")
_PIECE = 1 << 16


class LostConnection(Exception):
    """The other side has gone, or talks nonsense."""


def pack(header: dict[str, Any], size: int) -> bytes:
    """A header that announces ``size`` octets of content."""
    data = json.dumps({**header, "size": size}).encode("ascii")
    return LENGTH.pack(len(data)) + data


def unpack(data: bytes | bytearray) -> tuple[dict[str, Any], bytes] | None:
    """Header and content of a frame that is all of ``data``; None while it is incomplete. :raise LostConnection:"""
    if len(data) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack_from(data)
    if length > MOST_HEADER:
        raise LostConnection(f"a header of {length} octets")
    start = LENGTH.size + length
    if len(data) < start:
        return None
    header = _decoded(bytes(data[LENGTH.size : start]))
    if len(data) < start + header["size"]:
        return None
    return header, bytes(data[start:])


def read_header(receive: Callable[[int], bytes]) -> dict[str, Any] | None:
    """Blocking. :param receive: as socket.recv. :return: None when the other side has hung up between requests."""
    first = receive(LENGTH.size)
    if not first:
        return None
    (length,) = LENGTH.unpack(first + _exactly(receive, LENGTH.size - len(first)))
    if length > MOST_HEADER:
        raise LostConnection(f"a header of {length} octets")
    return _decoded(_exactly(receive, length))


def content(receive: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """``size`` octets, in the pieces in which they come. Blocking."""
    while size:
        piece = receive(min(size, _PIECE))
        if not piece:
            raise LostConnection("in the middle of a message")
        size -= len(piece)
        yield piece


def _exactly(receive: Callable[[int], bytes], size: int) -> bytes:
    return b"".join(content(receive, size))


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data)
    except ValueError as error:
        raise LostConnection("a header that is no JSON") from error
    if not isinstance(header, dict) or not isinstance(header.get("size"), int):
        raise LostConnection("a header that announces nothing")
    return header
