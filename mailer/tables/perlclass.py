"""Bracket expressions of Perl-compatible regular expressions, worked out to sets of octets (pcre2pattern(3))."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from mailer.tables.byteset import ALL, CLASSES, DIGITS, SPACES, WORD, emit

if TYPE_CHECKING:
    from mailer.tables.perlescape import EscapeReader

__all__ = ["ESCAPED_SETS", "Characters", "PerlError", "emit_set", "property_set"]

_HORIZONTAL = frozenset(b"\t \xa0")
_VERTICAL = frozenset(b"\n\v\f\r\x85")

#: Sets that a backslash and a letter stand for, inside brackets and outside.
ESCAPED_SETS = {
    b"d": DIGITS,
    b"D": ALL - DIGITS,
    b"w": WORD,
    b"W": ALL - WORD,
    b"s": SPACES,
    b"S": ALL - SPACES,
    b"h": _HORIZONTAL,
    b"H": ALL - _HORIZONTAL,
    b"v": _VERTICAL,
    b"V": ALL - _VERTICAL,
    b"N": ALL - {10},
}


class PerlError(ValueError):
    """``offset`` counts octets of the pattern."""

    def __init__(self, offset: int, text: str) -> None:
        super().__init__(f"error in regex at offset {offset}: {text}")


def emit_set(members: frozenset[int] | set[int]) -> bytes:
    return emit(members)


def property_set(name: str) -> frozenset[int] | None:
    """Octets whose Latin-1 character has a general category: ``Lu``, ``L``, ``L&``, ``Any``, ``Xwd`` ..."""
    if name == "Any":
        return ALL
    if name == "L&":
        return property_set("Lu") | property_set("Ll") | property_set("Lt")  # type: ignore[operator]
    if name == "Xan":
        return property_set("L") | property_set("N")  # type: ignore[operator]
    if name == "Xwd":
        return property_set("L") | property_set("N") | {ord("_")}  # type: ignore[operator]
    if len(name) not in (1, 2) or name[0] not in "CLMNPSZ":
        return None
    return frozenset(octet for octet in ALL if unicodedata.category(chr(octet)).startswith(name))


class Characters:
    """Reads one bracket expression from ``source``, which stands at its ``[``."""

    def __init__(self, source: EscapeReader) -> None:
        self._source = source
        self._members: set[int] = set()

    def read(self) -> frozenset[int] | set[int]:
        source = self._source
        source._at += 1
        negated = source._skip(b"^")
        first = True
        while first or source._here() != b"]":
            if source._at >= len(source.pattern):
                raise PerlError(len(source.pattern), "missing terminating ] for character class")
            self._member()
            first = False
        source._at += 1
        return ALL - self._members if negated else self._members

    def _member(self) -> None:
        source = self._source
        if source._skip(b"\\Q"):
            self._quoted()
            return
        if source._skip(b"\\E"):
            return
        start = self._element()
        ranged = source._here() == b"-" and source.pattern[source._at + 1 : source._at + 2] not in (b"]", b"")
        if not ranged:
            self._members |= start if isinstance(start, frozenset) else {start}
            return
        source._at += 1
        end = self._element()
        if isinstance(start, frozenset) or isinstance(end, frozenset):
            # A hyphen beside a class stands for itself only before it, [a-\d] is an error.
            if isinstance(start, frozenset):
                raise PerlError(source._at - 1, "invalid range in character class")
            raise PerlError(source._at, "invalid range in character class")
        if start > end:
            raise PerlError(source._at - 1, "range out of order in character class")
        self._members.update(range(start, end + 1))

    def _quoted(self) -> None:
        source = self._source
        end = source.pattern.find(b"\\E", source._at)
        if end < 0:
            raise PerlError(len(source.pattern), "missing terminating ] for character class")
        self._members.update(source.pattern[source._at : end])
        source._at = end + 2

    def _element(self) -> int | frozenset[int]:
        source = self._source
        char = source._here()
        kind = source.pattern[source._at + 1 : source._at + 2]
        if char == b"[" and kind == b":":
            found = self._posix()
            if found is not None:
                return found
        if char == b"\\":
            if kind in ESCAPED_SETS and kind != b"N":
                source._at += 2
                return ESCAPED_SETS[kind]
            if kind in (b"p", b"P"):
                return source.property()
            if kind == b"b":
                source._at += 2
                return 8
            return source.octet()
        source._at += 1
        return char[0]

    def _posix(self) -> frozenset[int] | None:
        source = self._source
        end = source.pattern.find(b":]", source._at)
        name = source.pattern[source._at + 2 : end].decode("latin-1") if end >= 0 else ""
        negated = name.startswith("^")
        bare = name.removeprefix("^")
        if end < 0 or not bare.isalpha():
            return None
        members = WORD if bare == "word" else frozenset(range(128)) if bare == "ascii" else CLASSES.get(bare)
        if members is None:
            raise PerlError(source._at + 2, "unknown POSIX class name")
        source._at = end + 2
        return ALL - members if negated else members
