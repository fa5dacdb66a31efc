"""Netstrings: ``5:hello,`` (D. J. Bernstein's netstrings.txt)."""

from __future__ import annotations

__all__ = ["BadNetstring", "encode", "read"]

_DIGITS = 9


class BadNetstring(ValueError):
    """What came is none, or is longer than allowed."""


def encode(data: bytes) -> bytes:
    return b"%d:%s," % (len(data), data)


def read(data: bytes, longest: int) -> tuple[bytes, int] | None:
    """The netstring that ``data`` begins with, and how many octets it takes; None while it is not whole.

    :raise BadNetstring: with Postfix's words.
    """
    head, colon, _ = data[: _DIGITS + 1].partition(b":")
    if head and not (head.isdigit() and (len(head) == 1 or head[:1] != b"0" or not colon)):
        raise BadNetstring("input format error")
    if not colon:
        if len(head) > _DIGITS:
            raise BadNetstring("input exceeds size limit")
        return None
    if not head:
        raise BadNetstring("input format error")
    length = int(head)
    if length > longest:
        raise BadNetstring("input exceeds size limit")
    end = len(head) + 1 + length
    if len(data) <= end:
        return None
    if data[end : end + 1] != b",":
        raise BadNetstring("input format error")
    return data[len(head) + 1 : end], end + 1
