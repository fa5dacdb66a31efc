"""Perl-compatible regular expressions (pcre2pattern(3), octets, not UTF) for Python's ``re``.

The two languages agree on most of what tables use; this module rewrites what they spell differently (``(?<name>``,
``\\h``, ``\\Q..\\E``, POSIX classes, ``(?i)`` in the middle, ``\\z``, ungreedy mode, look-behind with alternatives, branch
reset) and refuses what ``re`` cannot do: recursion and subroutine calls, ``(*VERBS)``, conditions on assertions. Atomic
groups and possessive quantifiers need Python 3.11. Errors are told in PCRE2's words with its offsets where it would find
them too.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from mailer.tables.perlclass import ESCAPED_SETS, Characters, PerlError, emit_set
from mailer.tables.perlescape import EscapeReader

__all__ = ["PerlError", "Translated", "compile"]

_DEEPEST = 60
_MOST_REPEATS = 65535
_QUANTIFIER = re.compile(rb"\{(\d+)(,?)(\d*)\}").match
_NAMED_CLASS = re.compile(rb"\[([:.=])[^\\\]]*\1\]").match
_NAME = re.compile(rb"[A-Za-z_]\w*").match
_FLAGS = re.compile(rb"\(\?(\^?)([imsxnJU]*)(?:-([imsxnJU]*))?([:)])").match
_ATOMIC = sys.version_info >= (3, 11)


@dataclass(frozen=True)
class Translated:
    """``groups[n - 1]`` lists the groups of ``regex`` of which one may hold the text of ``$n``."""

    regex: re.Pattern[bytes]
    groups: tuple[tuple[int, ...], ...]


@dataclass
class _Modes:
    """What ``(?flags)`` may change, from here to the end of the group."""

    ignore_case: bool
    multiline: bool
    dot_all: bool
    extended: bool
    ungreedy: bool
    named_only: bool = False


def compile(pattern: bytes, flags: str) -> Translated:
    """:param flags: those that are on, of ``i m s x A E U``.
    :raise PerlError: the text says where and what."""
    return _Translator(pattern, flags).compiled()


class _Translator(EscapeReader):
    """Recursive descent over the pattern; every method returns what it read, in Python's spelling."""

    def __init__(self, pattern: bytes, flags: str) -> None:
        super().__init__(pattern)
        self._flags = flags
        self._modes = _Modes("i" in flags, "m" in flags, "s" in flags, "x" in flags, "U" in flags)
        self._depth = 0
        self._count = 0  # groups in Python's numbering
        self.groups: list[list[int]] = []
        self.names: dict[bytes, int] = {}
        self._number = 0  # groups in PCRE's numbering
        self._referenced: list[tuple[int | bytes, int]] = []

    def compiled(self) -> Translated:
        translated = b"|".join(self._alternatives())
        if self._at < len(self.pattern):
            raise PerlError(self._at, "unmatched closing parenthesis")
        for reference, offset in self._referenced:
            number = self.names.get(reference, 0) if isinstance(reference, bytes) else reference
            if not 0 < number <= len(self.groups):
                raise PerlError(offset, _NO_SUCH_GROUP)
        if "A" in self._flags:
            translated = rb"\A(?:" + translated + b")"
        try:
            regex = re.compile(translated, re.DOTALL | (re.IGNORECASE if "i" in self._flags else 0))
        except (re.error, OverflowError, RecursionError) as error:
            raise PerlError(len(self.pattern), f"not supported here: {error}") from error
        return Translated(regex, tuple(tuple(group) for group in self.groups))

    def _alternatives(self) -> list[bytes]:
        """The alternatives of a group, up to its closing parenthesis. Scoped flags are closed and opened again at ``|``."""
        outer = _Modes(**vars(self._modes))
        branches = []
        while True:
            branches.append(self._branch(outer))
            if not self._skip(b"|"):
                break
        self._modes = outer
        return branches

    def _branch(self, outer: _Modes) -> bytes:
        parts: list[bytes] = []
        opened = 0
        if self._modes.ignore_case != outer.ignore_case:
            parts.append(self._case())
            opened += 1
        while self._at < len(self.pattern):
            if self._blank():
                continue
            if self.pattern[self._at] in b"|)":
                break
            if self._modes_changed():
                parts.append(self._case())
                opened += 1
                continue
            parts.append(self._piece())
        return b"".join(parts) + b")" * opened

    def _case(self) -> bytes:
        return b"(?i:" if self._modes.ignore_case else b"(?-i:"

    def _blank(self) -> bool:
        """White space and comments in extended mode; ``(?#...)`` always; an empty quotation."""
        char = self._here()
        if self._modes.extended and char in (b" ", b"\t", b"\n", b"\r", b"\f", b"\v"):
            self._at += 1
            return True
        if self._modes.extended and char == b"#":
            end = self.pattern.find(b"\n", self._at)
            self._at = end + 1 if end >= 0 else len(self.pattern)
            return True
        if self.pattern.startswith(b"(?#", self._at):
            end = self.pattern.find(b")", self._at)
            if end < 0:
                raise PerlError(len(self.pattern), "missing ) after (?# comment")
            self._at = end + 1
            return True
        if self.pattern.startswith(b"\\E", self._at):
            self._at += 2
            return True
        return False

    def _modes_changed(self) -> bool:
        """``(?flags)``: take it, and tell whether it was there."""
        found = _FLAGS(self.pattern, self._at)
        if found is None or found[4] == b":":
            return False
        self._at = found.end()
        self._set_modes(found)
        return True

    def _set_modes(self, found: re.Match[bytes]) -> None:
        modes = _Modes(**vars(self._modes))
        if found[1]:
            modes.ignore_case = modes.multiline = modes.dot_all = modes.extended = modes.named_only = False
        for letters, value in ((found[2], True), (found[3] or b"", False)):
            for letter in letters.decode():
                name = _LETTERS.get(letter)
                if name is not None:
                    setattr(modes, name, value)
        self._modes = modes

    def _piece(self) -> bytes:
        """An atom with its quantifiers."""
        start = self._at
        char = self._here()
        self._no_quantifier(char)
        if self.pattern.startswith(b"\\Q", start):
            return self._quotation()
        atom = self._atom()
        return self._quantified(atom)

    def _quotation(self) -> bytes:
        """``\\Q ... \\E``: a quantifier after it belongs to its last octet."""
        end = self.pattern.find(b"\\E", self._at)
        text = self.pattern[self._at + 2 : end if end >= 0 else None]
        self._at = end + 2 if end >= 0 else len(self.pattern)
        if not text:
            return b""
        return re.escape(text[:-1]) + self._quantified(re.escape(text[-1:]))

    def _quantified(self, atom: bytes) -> bytes:
        while self._blank():
            pass
        quantifier = self._quantifier()
        if not quantifier:
            return atom
        if atom in _SIMPLE_ASSERTIONS:
            raise PerlError(self._at - 1, _NOTHING_TO_REPEAT)
        if not atom or atom[:3] in (b"(?=", b"(?!", b"(?<"):
            atom = b"(?:" + atom + b")"
        if self._skip(b"+"):
            if not _ATOMIC:
                raise PerlError(self._at, "possessive quantifiers need Python 3.11")
            result = atom + quantifier + b"+"
        else:
            lazy = self._skip(b"?") != self._modes.ungreedy
            result = atom + quantifier + (b"?" if lazy else b"")
        self._no_quantifier(self._here())
        return result

    def _no_quantifier(self, char: bytes) -> None:
        if char in (b"*", b"+", b"?"):
            raise PerlError(self._at, _NOTHING_TO_REPEAT)
        found = _QUANTIFIER(self.pattern, self._at) if char == b"{" else None
        if found is not None:
            raise PerlError(found.end() - 1, _NOTHING_TO_REPEAT)

    def _quantifier(self) -> bytes:
        char = self._here()
        if char in (b"*", b"+", b"?"):
            self._at += 1
            return char
        found = _QUANTIFIER(self.pattern, self._at) if char == b"{" else None
        if found is None:
            return b""
        low, high = int(found[1]), int(found[3]) if found[3] else None
        if low > _MOST_REPEATS or (high or 0) > _MOST_REPEATS:
            digits = found.end(1) if low > _MOST_REPEATS else found.end(3)
            first = found.start(1) if low > _MOST_REPEATS else found.start(3)
            raise PerlError(min(digits, first + 5), "number too big in {} quantifier")
        if high is not None and high < low:
            raise PerlError(found.end(3), "numbers out of order in {} quantifier")
        self._at = found.end()
        return found[0]

    def _atom(self) -> bytes:
        char = self._here()
        if char == b"(":
            return self._parenthesis()
        if char == b"[":
            if _NAMED_CLASS(self.pattern, self._at):
                raise PerlError(self._at, "POSIX named classes are supported only within a class")
            return emit_set(Characters(self).read())
        if char == b"\\":
            return self._escape()
        self._at += 1
        if char == b".":
            return b"." if self._modes.dot_all else rb"[^\n]"
        if char == b"^":
            return rb"(?:\A|(?<=\n)(?!\Z))" if self._modes.multiline else rb"\A"
        if char == b"$":
            if self._modes.multiline:
                return rb"(?m:$)"
            return rb"\Z" if "E" in self._flags else b"$"
        return re.escape(char)

    def _escape(self) -> bytes:
        letter = self.pattern[self._at + 1 : self._at + 2]
        if letter in _ASSERTIONS:
            self._at += 2
            return _ASSERTIONS[letter]
        if letter in ESCAPED_SETS:
            self._at += 2
            return emit_set(ESCAPED_SETS[letter])
        if letter == b"R":
            self._at += 2
            return rb"(?>\r\n|[\n\x0b\x0c\r\x85])" if _ATOMIC else rb"(?:\r\n|[\n\x0b\x0c\r\x85])"
        if letter in (b"p", b"P"):
            return emit_set(self.property())
        reference = self.reference(self._number)
        if reference is not None:
            return self._backreference(reference)
        return re.escape(bytes([self.octet()]))

    def _backreference(self, reference: int | bytes) -> bytes:
        places = self._places(reference)
        if not places:
            return b"(?!)"  # a group that has matched nothing yet is equal to nothing
        return b"(?:" + b"|".join(b"\\%d" % place if place < 100 else b"(?P=_%d)" % place for place in places) + b")"

    def _places(self, reference: int | bytes) -> list[int]:
        """The groups that a reference may mean; none while they have not ended. Whether it means any is seen at the end."""
        self._referenced.append((reference, self._at - 1))
        number = self.names.get(reference, 0) if isinstance(reference, bytes) else reference
        return self.groups[number - 1] if 0 < number <= len(self.groups) else []

    def _parenthesis(self) -> bytes:
        start = self._at
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PerlError(self._at, "parentheses are too deeply nested")
        result = self._group()
        if not self._skip(b")"):
            raise PerlError(len(self.pattern), "missing closing parenthesis")
        self._depth -= 1
        assert self._at > start
        return result

    def _group(self) -> bytes:
        if self._skip(b"(*"):
            raise PerlError(self._at, "(*VERB) not recognized or malformed")
        if not self._skip(b"(?"):
            self._skip(b"(")
            return self._inside(b"(?:") if self._modes.named_only else self._capture()
        for opening in (b":", b"=", b"!"):
            if self._skip(opening):
                return self._inside(b"(?" + opening)
        if self._skip(b">"):
            if not _ATOMIC:
                raise PerlError(self._at, "atomic groups need Python 3.11")
            return self._inside(b"(?>")
        if self._skip(b"|"):
            return self._branch_reset()
        for opening in (b"<=", b"<!"):
            if self._skip(opening):
                return self._behind(b"(?" + opening)
        for opening, ending in ((b"P<", b">"), (b"<", b">"), (b"'", b"'")):
            if self._skip(opening):
                return self._named(ending)
        if self._skip(b"P="):
            name = self._name(b")")
            self._at -= 1
            return self._backreference(name)
        if self._skip(b"("):
            return self._condition()
        return self._scoped()

    def _scoped(self) -> bytes:
        """``(?flags:...)``."""
        found = _FLAGS(self.pattern, self._at - 2)
        if found is None:
            if re.compile(rb"R|[+-]?\d|&|P>|C").match(self.pattern, self._at):
                raise PerlError(self._at, "recursion and subroutine calls are not supported here")
            raise PerlError(min(self._at + 1, len(self.pattern)), "unrecognized character after (? or (?-")
        before = self._modes
        self._at = found.end()
        self._set_modes(found)
        opening = b"(?:" if before.ignore_case == self._modes.ignore_case else self._case()
        inside = self._inside(opening)
        self._modes = before
        return inside

    def _inside(self, opening: bytes) -> bytes:
        return opening + b"|".join(self._alternatives()) + b")"

    def _capture(self, name: bytes = b"") -> bytes:
        self._number += 1
        self._count += 1
        if self._number > len(self.groups):
            self.groups.append([])
        place = self._count
        number = self._number
        if name:
            self.names[name] = number
        alternatives = b"|".join(self._alternatives())
        self.groups[number - 1].append(place)
        return (b"(" if place < 100 else b"(?P<_%d>" % place) + alternatives + b")"

    def _named(self, ending: bytes) -> bytes:
        name = self._name(ending)
        if name in self.names:
            raise PerlError(self._at, "two named subpatterns have the same name (PCRE2_DUPNAMES not set)")
        return self._capture(name)

    def _name(self, ending: bytes) -> bytes:
        found = _NAME(self.pattern, self._at)
        if found is None:
            raise PerlError(self._at, "subpattern name expected")
        self._at = found.end()
        if not self._skip(ending):
            raise PerlError(self._at, "syntax error in subpattern name (missing terminator?)")
        return found[0]

    def _branch_reset(self) -> bytes:
        """``(?|a(b)|c(d))``: the groups of each alternative have the same numbers."""
        first, highest = self._number, self._number
        outer = _Modes(**vars(self._modes))
        branches = []
        while True:
            self._number = first
            branches.append(self._branch(outer))
            highest = max(highest, self._number)
            if not self._skip(b"|"):
                break
        self._number, self._modes = highest, outer
        return b"(?:" + b"|".join(branches) + b")"

    def _behind(self, opening: bytes) -> bytes:
        """Look-behind: ``re`` wants one width, PCRE one for each alternative; so one assertion for each of them."""
        count = self._count
        alternatives = self._alternatives()
        if len(alternatives) == 1 or self._count != count:
            return opening + b"|".join(alternatives) + b")"
        each = [opening + alternative + b")" for alternative in alternatives]
        return b"(?:" + (b"|" if opening == b"(?<=" else b"").join(each) + b")"

    def _condition(self) -> bytes:
        """``(?(1)yes|no)`` and ``(?(<name>)yes|no)``."""
        found = re.compile(rb"(?:<(\w+)>|'(\w+)'|(\d+))\)").match(self.pattern, self._at)
        if found is None:
            raise PerlError(self._at, "conditions other than a group's number or name are not supported here")
        places = self._places(int(found[3]) if found[3] else found[1] or found[2])
        self._at = found.end()
        branches = self._alternatives()
        if len(branches) > 2:
            raise PerlError(self._at, "conditional subpattern contains more than two branches")
        if len(places) > 1:
            raise PerlError(self._at, "conditions on a group with several places are not supported here")
        if not places:
            return b"(?:" + b"".join(branches[1:]) + b")"
        return b"(?(%d)" % places[0] + b"|".join(branches) + b")"


_NO_SUCH_GROUP = "reference to non-existent subpattern"
_NOTHING_TO_REPEAT = "quantifier does not follow a repeatable item"
_LETTERS = {
    "i": "ignore_case",
    "m": "multiline",
    "s": "dot_all",
    "x": "extended",
    "U": "ungreedy",
    "n": "named_only",
}
_ASSERTIONS = {
    b"A": rb"\A",
    b"z": rb"\Z",
    b"Z": rb"(?=\n?\Z)",
    b"b": rb"\b",
    b"B": rb"\B",
    b"G": rb"\A",
    b"K": b"",
    b"C": b".",
    b"X": b".",
}
#: What a quantifier may not follow, as translated.
_SIMPLE_ASSERTIONS = {rb"\A", rb"\Z", rb"\b", rb"\B", b"$", rb"(?=\n?\Z)", rb"(?m:$)", rb"(?:\A|(?<=\n)(?!\Z))"}
