"""Backslash sequences of Perl-compatible regular expressions (pcre2pattern(3), "Backslash")."""

from __future__ import annotations

import re

from mailer.tables.byteset import ALL
from mailer.tables.perlclass import PerlError, property_set

__all__ = ["EscapeReader"]

_CONTROL = {b"a": 7, b"e": 27, b"f": 12, b"n": 10, b"r": 13, b"t": 9}
_HEXADECIMAL = re.compile(rb"x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{0,2})").match
_OCTAL = re.compile(rb"o\{([0-7]+)\}|([0-7]{1,3})").match
_REFERENCE = re.compile(rb"g(\d+)|g\{(-?\d+)\}|g(-\d+)|g\{(\w+)\}|k<(\w+)>|k'(\w+)'|k\{(\w+)\}").match
_PROPERTY = re.compile(rb"([pP])(?:\{(\^?)([\w&]+)\}|([A-Z]))").match


class EscapeReader:
    """A pattern and a place in it; ``octet``, ``reference`` and ``property`` read what stands behind a backslash there."""

    def __init__(self, pattern: bytes) -> None:
        self.pattern = pattern
        self._at = 0

    def _here(self) -> bytes:
        return self.pattern[self._at : self._at + 1]

    def _skip(self, text: bytes) -> bool:
        if self.pattern.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def total(self) -> int:
        """How many groups the pattern seems to have: opening parentheses that are not escaped or special."""
        return len(re.findall(rb"(?<!\\)\((?!\?)|\(\?(?:P?<(?![=!])|')", self.pattern))

    def reference(self, number: int) -> int | bytes | None:
        """A back reference: the group's number or name. None: no reference. ``number`` is the last group so far."""
        at = self._at + 1
        digits = re.compile(rb"[1-9]\d*").match(self.pattern, at)
        if digits is not None:
            value = int(digits[0])
            if value < 10 or value <= self.total():
                self._at = digits.end()
                return value
            return None
        found = _REFERENCE(self.pattern, at)
        if found is None:
            return None
        self._at = found.end()
        if found[1]:
            return int(found[1])
        relative = found[2] or found[3]
        if relative:
            value = int(relative)
            return number + 1 + value if value < 0 else value
        return found[4] or found[5] or found[6] or found[7]

    def octet(self) -> int:
        """A sequence that stands for one octet."""
        at = self._at + 1
        char = self.pattern[at : at + 1]
        if char == b"":
            raise PerlError(len(self.pattern), "\\ at end of pattern")
        for match, base in ((_HEXADECIMAL, 16), (_OCTAL, 8)):
            found = match(self.pattern, at)
            if found is not None:
                self._at = found.end()
                value = int(found[1] or found[2] or b"0", base)
                if value > 255:
                    large = "character code point value in \\x{} or \\o{} is too large"
                    raise PerlError(
                        self._at, large if found[1] else "octal value is greater than \\377 in 8-bit non-UTF-8 mode"
                    )
                return value
        self._at = at + 1
        if char in _CONTROL:
            return _CONTROL[char]
        if char == b"c":
            following = self._here()
            self._at += 1
            if not following or not 0x20 <= following[0] <= 0x7E:
                raise PerlError(self._at, "\\c must be followed by a printable ASCII character")
            return following.upper()[0] ^ 0x40
        if char.isalnum():
            raise PerlError(self._at, "unrecognized character follows \\")
        return char[0]

    def property(self) -> frozenset[int]:
        """``\\pL``, ``\\p{Lu}``, ``\\P{^Lu}``."""
        found = _PROPERTY(self.pattern, self._at + 1)
        if found is None:
            raise PerlError(min(self._at + 3, len(self.pattern)), "malformed \\P or \\p sequence")
        members = property_set((found[3] or found[4]).decode())
        if members is None:
            raise PerlError(found.end(), "unknown property after \\P or \\p")
        self._at = found.end()
        return ALL - members if (found[1] == b"P") != (found[2] == b"^") else members
