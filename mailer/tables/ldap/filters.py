"""Search filters: text (RFC 4515) to BER, and quoting for what is put into that text.

As forgiving as OpenLDAP's library, which Postfix uses: the outermost parentheses may be missing, white space may stand in
front of a parenthesis, and ``\\(`` means the same as ``\\28``.
"""

from __future__ import annotations

import re
from typing import Any

from mailer.tables.expansion import Template
from mailer.tables.ldap.ber import boolean, children, octets, packed
from mailer.tables.text import octets as to_octets

__all__ = ["PRESENT", "BadFilter", "FilterTemplate", "compile_filter", "quote_filter"]

_SPECIAL = re.compile(r"[*()\\\0]")
_DESCRIPTION = r"(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)*)"
_ATTRIBUTE = re.compile(rf"{_DESCRIPTION}(?:;[A-Za-z0-9-]+)*", re.ASCII)
_EXTENSIBLE = re.compile(rf"({_DESCRIPTION}(?:;[A-Za-z0-9-]+)*)?(:dn)?(?::({_DESCRIPTION}))?", re.ASCII | re.IGNORECASE)
_ESCAPE = re.compile(rb"\\(?:([0-9A-Fa-f]{2})|([()*\\]))?|[()*]")
_DEEPEST = 100
_MARK = re.compile(rb"\0(\d+)\0")
_SETS = {"&": 0xA0, "|": 0xA1, "!": 0xA2}
_COMPARISONS = {"<": 0xA6, ">": 0xA5, "~": 0xA8}

#: Matches every entry.
PRESENT = packed(0x87, b"objectclass")


class BadFilter(ValueError):
    """Not a filter."""


def quote_filter(text: str) -> str:
    """Text that stands for itself in an assertion value, whatever is in it (RFC 4515 3)."""
    return _SPECIAL.sub(lambda match: f"\\{ord(match.group()):02x}", text) if _SPECIAL.search(text) else text


def compile_filter(text: str) -> bytes:
    """:raise BadFilter:"""
    text = text.lstrip(" ")
    if not text.startswith("("):
        return _comparison(text)
    encoded, end = _parenthesized(text, 0, 0)
    if text[end:].strip(" "):
        raise BadFilter(text)
    return encoded


def _parenthesized(text: str, at: int, depth: int) -> tuple[bytes, int]:
    """The filter that begins with the parenthesis at ``at``, and where it ends."""
    if depth > _DEEPEST:
        raise BadFilter(text)
    at = _skip(text, at + 1)
    tag = _SETS.get(text[at : at + 1])
    if tag is None:
        end = _closing(text, at)
        return _comparison(text[at:end]), end + 1
    parts: list[bytes] = []
    at = _skip(text, at + 1)
    while text[at : at + 1] == "(":
        part, at = _parenthesized(text, at, depth + 1)
        parts.append(part)
        at = _skip(text, at)
    if text[at : at + 1] != ")" or (tag == 0xA2 and len(parts) != 1):
        raise BadFilter(text)
    return packed(tag, b"".join(parts)), at + 1


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at


def _closing(text: str, at: int) -> int:
    """Where the parenthesis closes that was open before ``at``."""
    end = text.find(")", at)
    while end > 0 and _escaped(text, end):
        end = text.find(")", end + 1)
    if end < 0:
        raise BadFilter(text)
    return end


def _escaped(text: str, at: int) -> bool:
    count = 0
    while at - count > 0 and text[at - count - 1] == "\\":
        count += 1
    return count % 2 == 1


def _comparison(text: str) -> bytes:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadFilter(text)
    kind = name[-1]
    if kind == ":":
        return _extensible(name[:-1], value, text)
    tag = _COMPARISONS.get(kind)
    if tag is not None:
        name = name[:-1]
    if _ATTRIBUTE.fullmatch(name) is None:
        raise BadFilter(text)
    attribute = octets(name.encode())
    if tag is None:
        if value == "*":
            return packed(0x87, name.encode())
        if "*" in value:
            return packed(0xA4, attribute + _substrings(value, text))
        tag = 0xA3
    return packed(tag, attribute + octets(_value(value, text)))


def _substrings(value: str, text: str) -> bytes:
    first, *middle, last = (_value(part, text) for part in value.split("*"))
    parts = [octets(first, 0x80)] if first else []
    parts += [octets(part, 0x81) for part in middle if part]
    if last:
        parts.append(octets(last, 0x82))
    if not parts:
        raise BadFilter(text)
    return packed(0x30, b"".join(parts))


def _extensible(name: str, value: str, text: str) -> bytes:
    match = _EXTENSIBLE.fullmatch(name)
    if match is None or not (match[1] or match[3]):
        raise BadFilter(text)
    attribute, dn, rule = match.groups()
    parts = [octets(rule.encode(), 0x81)] if rule else []
    if attribute:
        parts.append(octets(attribute.encode(), 0x82))
    parts.append(octets(_value(value, text), 0x83))
    if dn:
        parts.append(boolean(True, 0x84))
    return packed(0xA9, b"".join(parts))


def _value(value: str, text: str) -> bytes:
    data = to_octets(value)
    if _ESCAPE.search(data) is None:
        return data

    def unescaped(match: re.Match[bytes]) -> bytes:
        if match[1]:
            return bytes.fromhex(match[1].decode())
        if match[2]:
            return match[2]
        raise BadFilter(text)

    return _ESCAPE.sub(unescaped, data)


#: Constant octets; or a tag with elements; or a tag with content made of constant octets and numbers of what is put in.
_Node = bytes | tuple[int, list[Any], bool]


class FilterTemplate:
    """A query_filter, parsed once; what lookups put in goes straight into its place.

    Only where that is no assertion value (a whole filter, an attribute's name) each lookup's text is parsed.
    """

    def __init__(self, template: Template) -> None:
        self._template = template
        self._tree: _Node | None = None
        try:
            encoded = compile_filter(template.marked(lambda number: f"\0{number}\0"))
        except BadFilter:
            return
        self._tree = _nodes(encoded)[0]

    def compile(self, key: str) -> bytes | None:
        """None if the key lacks a part that is needed. :raise BadFilter:"""
        if self._tree is None:
            text = self._template.expand(key, quote=quote_filter)
            return None if text is None else compile_filter(text)
        values = self._template.values(key)
        return None if values is None else _filled(self._tree, [to_octets(value) for value in values])


def _nodes(data: bytes) -> list[_Node]:
    found: list[_Node] = []
    at = 0
    for tag, start, stop in children(data, 0, len(data)):
        content = data[start:stop]
        if _MARK.search(content) is None:
            found.append(data[at:stop])
        elif tag & 0x20:
            found.append((tag, _nodes(content), True))
        else:
            pieces = _MARK.split(content)
            found.append((tag, [int(piece) if number % 2 else piece for number, piece in enumerate(pieces)], False))
        at = stop
    return found


def _filled(node: _Node, values: list[bytes]) -> bytes:
    if isinstance(node, bytes):
        return node
    tag, parts, constructed = node
    if constructed:
        return packed(tag, b"".join([_filled(part, values) for part in parts]))
    return packed(tag, b"".join([values[part] if isinstance(part, int) else part for part in parts]))
