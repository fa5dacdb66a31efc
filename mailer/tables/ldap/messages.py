"""LDAP messages (RFC 4511 4): requests to octets, octets to responses. Knows no connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from mailer.tables.ldap.ber import Malformed, boolean, children, enumerated, header, integer, octets, packed
from mailer.tables.text import octets as to_octets
from mailer.tables.text import string

__all__ = [
    "BIND_RESPONSE",
    "EXTENDED_RESPONSE",
    "NOTICE_OF_DISCONNECTION",
    "SEARCH_DONE",
    "SEARCH_ENTRY",
    "SEARCH_REFERENCE",
    "START_TLS",
    "UNBIND",
    "Entry",
    "Result",
    "Search",
    "abandon",
    "bind_sasl",
    "bind_simple",
    "message",
    "page_control",
    "parse_entry",
    "parse_message",
    "parse_page_cookie",
    "parse_reference",
    "parse_result",
]

SEARCH_ENTRY, SEARCH_DONE, SEARCH_REFERENCE = 0x64, 0x65, 0x73
BIND_RESPONSE, EXTENDED_RESPONSE = 0x61, 0x78
NOTICE_OF_DISCONNECTION = "1.3.6.1.4.1.1466.20036"
_PAGED_RESULTS = b"1.2.840.113556.1.4.319"
UNBIND = b"\x42\x00"
START_TLS = packed(0x77, octets(b"1.3.6.1.4.1.1466.20037", 0x80))


@dataclass(frozen=True, slots=True)
class Search:
    """``scope`` 0 base, 1 one level, 2 subtree; ``filter`` in BER; ``size_limit`` entries and ``time_limit`` seconds (0:
    none) as the server is told; ``dereference`` 0 never, 1 searching, 2 finding, 3 always. ``text`` is the filter as people
    write it, where it came from them."""

    base: str
    scope: int
    filter: bytes
    attributes: tuple[str, ...]
    dereference: int = 0
    size_limit: int = 0
    time_limit: int = 0
    text: str = field(default="", compare=False)

    def encoded(self) -> bytes:
        """The operation."""
        return packed(
            0x63,
            octets(to_octets(self.base))
            + _limits(self.scope, self.dereference, self.size_limit, self.time_limit)
            + self.filter
            + _attributes(self.attributes),
        )


@lru_cache(1000)
def _limits(scope: int, dereference: int, size: int, time: int) -> bytes:
    return enumerated(scope) + enumerated(dereference) + integer(size) + integer(time) + boolean(False)


@lru_cache(1000)
def _attributes(names: tuple[str, ...]) -> bytes:
    return packed(0x30, b"".join(octets(to_octets(name)) for name in names))


@dataclass(slots=True)
class Entry:
    """``attributes``: name as the server writes it, and values, in the server's order."""

    dn: str
    attributes: list[tuple[str, list[str]]]


@dataclass(frozen=True, slots=True)
class Result:
    """How an operation ended. ``name`` is the OID of an extended response; ``credentials`` are a SASL server's."""

    code: int
    matched: str = ""
    text: str = ""
    referrals: tuple[str, ...] = ()
    name: str = ""
    credentials: bytes | None = None
    controls: tuple[tuple[bytes, bytes], ...] = field(default=())


def message(number: int, operation: bytes, controls: bytes = b"") -> bytes:
    return packed(0x30, integer(number) + operation + controls)


def bind_simple(version: int, dn: str, password: bytes) -> bytes:
    return packed(0x60, integer(version) + octets(to_octets(dn)) + octets(password, 0x80))


def bind_sasl(version: int, dn: str, mechanism: str, credentials: bytes | None) -> bytes:
    sasl = octets(mechanism.encode()) + (octets(credentials) if credentials is not None else b"")
    return packed(0x60, integer(version) + octets(to_octets(dn)) + packed(0xA3, sasl))


def abandon(number: int) -> bytes:
    return integer(number, 0x50)


def page_control(size: int, cookie: bytes) -> bytes:
    """The controls of a request for one page (RFC 2696)."""
    value = packed(0x30, integer(size) + octets(cookie))
    return packed(0xA0, packed(0x30, octets(_PAGED_RESULTS) + boolean(True) + octets(value)))


def parse_page_cookie(result: Result) -> bytes:
    """Where the next page begins; b"" when there is none. :raise Malformed:"""
    for name, value in result.controls:
        if name == _PAGED_RESULTS:
            _, start, end = _expect(value, 0, len(value), 0x30)
            parts = children(value, start, end)
            if len(parts) != 2 or parts[1][0] != 0x04:
                raise Malformed("a paged results control without its cookie")
            return value[parts[1][1] : parts[1][2]]
    return b""


def parse_message(data: bytes, at: int, end: int) -> tuple[int, int, int, int, int]:
    """``number, tag, start, end, rest`` of a whole message; ``rest`` is where controls begin. :raise Malformed:"""
    _, start, stop = header(data, at, end)
    tag, first, after = header(data, start, stop)
    if tag != 0x02 or not 0 < after - first <= 4:
        raise Malformed("a message without a number")
    number = int.from_bytes(data[first:after], "big", signed=True)
    tag, first, after = header(data, after, stop)
    return number, tag, first, after, after


def parse_entry(data: bytes, at: int, end: int) -> Entry:
    """:raise Malformed:"""
    _, start, stop = _expect(data, at, end, 0x04)
    dn = string(data[start:stop])
    _, at, end = _expect(data, stop, end, 0x30)
    attributes = []
    while at < end:
        _, start, stop = _expect(data, at, end, 0x30)
        at = stop
        _, first, last = _expect(data, start, stop, 0x04)
        name = string(data[first:last])
        _, start, stop = _expect(data, last, stop, 0x31)
        values = []
        while start < stop:
            _, first, start = _expect(data, start, stop, 0x04)
            values.append(data[first:start].decode("utf-8", "surrogateescape"))
        attributes.append((name, values))
    return Entry(dn, attributes)


def parse_reference(data: bytes, at: int, end: int) -> tuple[str, ...]:
    """The URLs of a search result reference, of which one is to be followed. :raise Malformed:"""
    return tuple(string(data[start:stop]) for _, start, stop in children(data, at, end))


def parse_result(data: bytes, at: int, end: int, rest: int, message_end: int) -> Result:
    """A search done, bind or extended response, with the controls between ``rest`` and ``message_end``.

    :raise Malformed:
    """
    parts = children(data, at, end)
    if len(parts) < 3 or [tag for tag, _, _ in parts[:3]] != [0x0A, 0x04, 0x04]:
        raise Malformed("a result without a code")
    texts = [data[start:stop] for _, start, stop in parts]
    referrals: tuple[str, ...] = ()
    name, credentials = "", None
    for (tag, start, stop), text in zip(parts[3:], texts[3:], strict=True):
        if tag == 0xA3:
            referrals = parse_reference(data, start, stop)
        elif tag == 0x87:
            credentials = text
        elif tag == 0x8A:
            name = string(text)
    code = int.from_bytes(texts[0][:5], "big")
    controls = _controls(data, rest, message_end)
    return Result(code, string(texts[1]), string(texts[2]), referrals, name, credentials, controls)


def _controls(data: bytes, at: int, end: int) -> tuple[tuple[bytes, bytes], ...]:
    if at >= end:
        return ()
    tag, start, stop = header(data, at, end)
    if tag != 0xA0:
        return ()
    found = []
    for _, first, last in children(data, start, stop):
        parts = children(data, first, last)
        if not parts or parts[0][0] != 0x04:
            raise Malformed("a control without a name")
        value = parts[-1] if len(parts) > 1 and parts[-1][0] == 0x04 else None
        name = data[parts[0][1] : parts[0][2]]
        found.append((name, data[value[1] : value[2]] if value else b""))
    return tuple(found)


def _expect(data: bytes, at: int, end: int, tag: int) -> tuple[int, int, int]:
    element = header(data, at, end)
    if element[0] != tag:
        raise Malformed(f"element {element[0]:#x} in place of {tag:#x}")
    return element
