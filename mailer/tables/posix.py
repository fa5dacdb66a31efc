"""POSIX regular expressions (regex(7), as glibc reads them in the C locale) for Python's ``re``.

The dialect is glibc's, because that is what the tables in use were written for: its extensions (``\\w \\b \\<`` ...), its
idea of what is an error, and the words in which it says so.

One thing differs. Where several ways of matching begin at the same place, POSIX takes the longest and ``re`` the first
that works. Whether a key matches is the same; what ``$1`` gets may differ when an alternative is the beginning of a later
one, as in ``(a|ab)(c|bcd)``, or something optional takes what the next group could have had, as in ``a?(ab)*``. Put the
longer alternative first, and say where a match ends (``$``).
"""

from __future__ import annotations

import re

from mailer.tables.byteset import ALL, CLASSES, SPACES, WORD, emit

__all__ = ["PosixError", "compile"]

BAD_PATTERN = "Invalid regular expression"
BAD_COLLATION = "Invalid collation character"
BAD_CLASS = "Invalid character class name"
BAD_ESCAPE = "Trailing backslash"
BAD_BACKREFERENCE = "Invalid back reference"
BAD_BRACKET = "Unmatched [, [^, [:, [., or [="
BAD_PAREN = "Unmatched ( or \\("
BAD_BRACE = "Unmatched \\{"
BAD_INTERVAL = "Invalid content of \\{\\}"
BAD_RANGE = "Invalid range end"
BAD_REPEAT = "Invalid preceding regular expression"
TOO_BIG = "Regular expression too big"

_CAPITALS = bytes(range(256)).upper()
_MOST_REPEATS = 0x7FFF
_DEEPEST = 60
_ESCAPES = {
    b"w": emit(WORD),
    b"W": emit(ALL - WORD),
    b"s": emit(SPACES),
    b"S": emit(ALL - SPACES),
}
_ANCHORS = {b"b": rb"\b", b"B": rb"\B", b"<": rb"\b(?=\w)", b">": rb"\b(?<=\w)", b"`": rb"\A", b"'": rb"\Z"}


class PosixError(ValueError):
    """The text of regerror(3)."""


def compile(pattern: bytes, extended: bool, ignore_case: bool, newline: bool) -> tuple[re.Pattern[bytes], int]:
    """The pattern for ``re`` and its number of groups.

    :param newline: REG_NEWLINE: ``^`` and ``$`` match at line ends, ``.`` and ``[^...]`` do not match one.
    :raise PosixError: as regcomp(3) would fail.
    """
    parser = _Parser(pattern, extended, ignore_case, newline)
    translated = parser.whole()
    try:
        return re.compile(translated, re.DOTALL | (re.IGNORECASE if ignore_case else 0)), parser.groups
    except (re.error, OverflowError, RecursionError) as error:
        raise PosixError(TOO_BIG if isinstance(error, (OverflowError, RecursionError)) else BAD_PATTERN) from error


class _Parser:
    """Recursive descent; ``_token`` is the next token, ``_at`` where what follows it begins.

    Tokens are octets: operators in the extended spelling whatever the syntax (``b"("``), literals and other escapes with
    a backslash in front (``b"\\\\("``), b"" at the end.
    """

    def __init__(self, pattern: bytes, extended: bool, ignore_case: bool, newline: bool) -> None:
        self._pattern = pattern
        self._extended = extended
        self._ignore_case = ignore_case
        self._newline = newline
        self._at = 0
        self._depth = 0
        self._caret = True  # basic syntax: a ^ here would be an anchor
        self.groups = 0
        self._closed: set[int] = set()

    def whole(self) -> bytes:
        translated = self._alternatives()
        if self._at < len(self._pattern):
            raise PosixError(BAD_PAREN)
        return translated

    def _peek(self) -> tuple[bytes, int]:
        """The token at the current place and its length."""
        pattern, at = self._pattern, self._at
        char = pattern[at : at + 1]
        if char == b"\\":
            following = pattern[at + 1 : at + 2]
            if not following:
                raise PosixError(BAD_ESCAPE)
            if not self._extended and following in b"(){}|+?":
                return following, 2
            return b"\\" + following, 2
        if char == b"":
            return b"", 0
        if self._extended:
            return (b"\\)", 1) if char == b")" and not self._depth else (char, 1)
        if char in b"(){}|+?":
            return b"\\" + char, 1
        if char == b"^" and not self._caret or char == b"$" and not self._dollar(at + 1):
            return b"\\" + char, 1
        return char, 1

    def _dollar(self, at: int) -> bool:
        return at == len(self._pattern) or self._pattern[at : at + 2] in (b"\\)", b"\\|")

    def _take(self, length: int, caret: bool = False) -> None:
        self._at += length
        self._caret = caret

    def _alternatives(self) -> bytes:
        branches = [self._branch()]
        while True:
            token, length = self._peek()
            if token != b"|":
                return b"|".join(branches)
            self._take(length, caret=True)
            branches.append(self._branch())

    def _branch(self) -> bytes:
        parts: list[bytes] = []
        while True:
            token, length = self._peek()
            if token in (b"", b"|") or (token == b")" and self._depth):
                return b"".join(parts)
            parts.append(self._expression(token, length))

    def _expression(self, token: bytes, length: int) -> bytes:
        if token == b")":
            raise PosixError(BAD_PAREN)
        if token == b"{" or (self._extended and token in (b"*", b"+", b"?")):
            raise PosixError(BAD_REPEAT)
        if token in (b"^", b"$") or (token[:1] == b"\\" and token[1:] in _ANCHORS and length == 2):
            self._take(length)
            return self._anchor(token)
        return self._repeated(self._atom(token, length))

    def _anchor(self, token: bytes) -> bytes:
        if token == b"^":
            return rb"(?m:^)" if self._newline else rb"\A"
        if token == b"$":
            return rb"(?m:$)" if self._newline else rb"\Z"
        return _ANCHORS[token[1:]]

    def _atom(self, token: bytes, length: int) -> bytes:
        if token == b"(":
            return self._group(length)
        if token == b"[":
            return self._bracket()
        self._take(length)
        if token == b".":
            return rb"[^\n]" if self._newline else b"."
        if token[:1] == b"\\" and length == 2:
            char = token[1:]
            if char in _ESCAPES:
                return _ESCAPES[char]
            if char.isdigit() and char != b"0":
                if int(char) not in self._closed:
                    raise PosixError(BAD_BACKREFERENCE)
                return b"(?:\\" + char + b")"
            if self._ignore_case and char.islower():
                return b"(?!)"  # glibc compares an escaped small letter with keys in capitals, so it matches nothing
        return re.escape(token[1:] or token if token[:1] == b"\\" else token)

    def _group(self, length: int) -> bytes:
        self._take(length, caret=True)
        self.groups += 1
        number = self.groups
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PosixError(TOO_BIG)
        inside = self._alternatives()
        token, length = self._peek()
        if token != b")":
            raise PosixError(BAD_PAREN)
        self._depth -= 1
        self._take(length)
        if number <= 9:
            self._closed.add(number)
        return b"(" + inside + b")"

    def _repeated(self, atom: bytes) -> bytes:
        first = True
        while True:
            token, length = self._peek()
            if token not in (b"*", b"+", b"?", b"{"):
                return atom
            if not first and not self._extended and token in (b"*", b"{"):
                raise PosixError(BAD_REPEAT)
            self._take(length)
            quantifier = self._interval() if token == b"{" else token
            atom = (atom if first else b"(?:" + atom + b")") + quantifier
            first = False

    def _interval(self) -> bytes:
        """After an opening brace: ``n}``, ``n,}``, ``n,m}``, ``,m}``; the closing brace is ``\\}`` in basic syntax."""
        close = b"}" if self._extended else b"\\}"
        end = self._pattern.find(close, self._at)
        if self._extended and self._pattern[end - 1 : end] == b"\\":
            end = -1
        text = self._pattern[self._at : end if end >= 0 else None]
        low, comma, high = text.partition(b",")
        good = (low.isdigit() or (comma and not low)) and (high.isdigit() or not high)
        if end < 0:
            raise PosixError(BAD_INTERVAL if comma and low and not low.isdigit() else BAD_BRACE)
        if not good:
            raise PosixError(BAD_INTERVAL)
        least = int(low or b"0")
        most = least if not comma else int(high) if high else None
        if most is not None and most < least:
            raise PosixError(BAD_INTERVAL)
        if max(least, most or 0) > _MOST_REPEATS:
            raise PosixError(TOO_BIG)
        self._take(end - self._at + len(close))
        return b"{%d,}" % least if most is None else b"{%d,%d}" % (least, most)

    def _bracket(self) -> bytes:
        """A bracket expression; inside one a backslash is nothing special."""
        self._take(1)
        negated = self._pattern[self._at : self._at + 1] == b"^"
        if negated:
            self._take(1)
        if self._at == len(self._pattern):
            raise PosixError(BAD_PATTERN)
        members: set[int] = set()
        first = True
        while first or self._next() != b"]":
            self._member(members, first)
            first = False
        self._take(1)
        if self._ignore_case:  # glibc compares in capitals; that decides which letters a range such as [Z-a] holds
            members = {octet for octet in ALL if _CAPITALS[octet] in members}
        if negated:
            return emit(ALL - members - ({10} if self._newline else set()))
        return emit(members)

    def _next(self) -> bytes:
        if self._at >= len(self._pattern):
            raise PosixError(BAD_BRACKET)
        return self._pattern[self._at : self._at + 1]

    def _member(self, members: set[int], first: bool) -> None:
        start = self._element(hyphen=first)
        if self._next() == b"-" and self._pattern[self._at + 1 : self._at + 2] != b"]":
            self._take(1)
            self._next()
            end = self._element(hyphen=True)
            if isinstance(start, frozenset) or isinstance(end, frozenset) or start > end:
                raise PosixError(BAD_RANGE)
            members.update(range(start, end + 1))
        elif isinstance(start, frozenset):
            members |= start
        else:
            members.add(start)

    def _element(self, hyphen: bool) -> int | frozenset[int]:
        """An octet, or the set of a class. ``hyphen``: a hyphen may stand here for itself."""
        char = self._next()
        kind = self._pattern[self._at + 1 : self._at + 2]
        if char == b"[" and kind in (b":", b".", b"="):
            return self._special(kind)
        self._take(1)
        if char == b"-" and not hyphen and self._next() != b"]":
            raise PosixError(BAD_RANGE)
        return _CAPITALS[char[0]] if self._ignore_case else char[0]

    def _special(self, kind: bytes) -> int | frozenset[int]:
        end = self._pattern.find(kind + b"]", self._at + 2)
        if end < 0:
            raise PosixError(BAD_BRACKET)
        name = self._pattern[self._at + 2 : end]
        self._take(end + 2 - self._at)
        if kind == b":":
            found = CLASSES.get(name.decode("latin-1"))
            if found is None:
                raise PosixError(BAD_CLASS)
            return CLASSES["alpha"] if self._ignore_case and name in (b"lower", b"upper") else found
        if len(name) != 1:
            raise PosixError(BAD_COLLATION)
        return _CAPITALS[name[0]] if self._ignore_case else name[0]
