"""Tables of regular expressions: what regexp_table(5) and pcre_table(5) have in common.

Rules with a mistake are skipped with a warning, as Postfix does; the others work. Each pattern is applied to the whole
key, whatever the key's case. A key may be as long as the longest header that is kept in one piece; a longer one is "cannot
tell now". Python's ``re`` tries alternatives one by one, so a pattern such as ``(a+)+$`` can take very long on a key made
for it: where a pattern or a key might allow that, a lookup ends after half a second with "cannot tell now" and a warning
that names the rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from mailer.message.status import TemporaryError
from mailer.plugins.timelimit import Overrun, within
from mailer.tables.base import PatternTable
from mailer.tables.lines import SPACE, logical_lines
from mailer.tables.rulefile import rule_source
from mailer.tables.substitution import Result, parse
from mailer.tables.text import escaped, octets, string

__all__ = ["Compiled", "Dialect", "LONGEST_KEY", "Rule", "RuleTable"]

#: Seconds of CPU time for a lookup where patterns or key make one think of a limit.
TIME_LIMIT = 0.5
#: Octets of a key from which on even a single repetition might take long.
_LONG = 4096
#: Octets. header_size_limit is 102400 unless somebody raises it.
LONGEST_KEY = 1 << 20
_IF = re.compile(r"if(?![A-Za-z0-9])", re.IGNORECASE).match
_ENDIF = re.compile(r"endif(?![A-Za-z0-9])", re.IGNORECASE).match

#: A compiled pattern, and for each ``$n`` the groups of which one may hold it.
Compiled = tuple[re.Pattern[bytes], tuple[tuple[int, ...], ...]]


@dataclass(frozen=True)
class Dialect:
    """What the two languages differ in.

    ``compile(pattern, flags)`` gives a Compiled or raises ValueError with the text for the log; ``defaults`` are the flags
    that are on unless a rule names them; ``obsolete`` flags are accepted and ignored.
    """

    type: str
    compile: Callable[[bytes, str], Compiled]
    flags: str
    defaults: str
    obsolete: str = ""
    unclosed: str = "skipping"
    out_of_range: str = "out-of-range"


class Rule(NamedTuple):
    """``end`` is None for a rule with a result; for an IF, the index of the rule after its ENDIF."""

    search: Callable[[bytes], Any]
    negated: bool
    result: Result
    groups: tuple[tuple[int, ...], ...]
    end: int | None
    line: int
    risky: bool


class Rules(NamedTuple):
    """``risky``: one of the patterns repeats or chooses in more than one place, so that the number of ways to match may grow
    without bound."""

    rules: list[Rule]
    risky: bool


class _Skip(Exception):
    """This line gives no rule; why has been told."""


class _Reader:
    """Turns lines into rules."""

    def __init__(self, dialect: Dialect, path: str, warn: Callable[[str], None], secure: bool) -> None:
        self._dialect = dialect
        self._path = path
        self._warn = warn
        self._secure = secure
        self._where = ""
        self._number = 0
        self._open: list[tuple[int, int]] = []  # index of an IF rule, its line
        self.rules: list[Rule] = []

    def read(self, text: str) -> Rules:
        for number, line in logical_lines(text, self._path, self._warn):
            self._where = f"{self._dialect.type} map {self._path}, line {number}"
            self._number = number
            try:
                self._line(number, line.rstrip(SPACE))
            except _Skip:
                continue
        while self._open:
            index, number = self._open.pop()
            self._warn(f"{self._dialect.type} map {self._path}, line {number}: IF has no matching ENDIF")
            self._close(index)
        return Rules(self.rules, any(rule.risky for rule in self.rules))

    def _close(self, index: int) -> None:
        self.rules[index] = self.rules[index]._replace(end=len(self.rules))

    def _tell(self, text: str) -> _Skip:
        self._warn(f"{self._where}: {text}")
        return _Skip()

    def _line(self, number: int, line: str) -> None:
        if _ENDIF(line):
            self._endif(line[5:].strip(SPACE))
        elif _IF(line):
            self._if(number, line[2:].lstrip(SPACE))
        elif line[0].isascii() and line[0].isalnum():
            raise self._tell("ignoring unrecognized request")
        else:
            self._plain(line)

    def _endif(self, rest: str) -> None:
        if not self._open:
            raise self._tell("ignoring ENDIF without matching IF")
        if rest:
            self._warn(f"{self._where}: ignoring extra text after ENDIF")
        self._close(self._open.pop()[0])

    def _if(self, number: int, text: str) -> None:
        negated, pattern, flags, rest = self._pattern(text)
        if rest:
            self._warn(f'{self._where}: ignoring extra text after IF statement: "{rest}"')
            self._warn(f"{self._where}: do not prepend whitespace to statements between IF and ENDIF")
        regex, _ = self._compiled(pattern, flags)
        self._open.append((len(self.rules), number))
        self.rules.append(Rule(regex.search, negated, "", (), 0, number, _risky(pattern)))

    def _plain(self, line: str) -> None:
        negated, pattern, flags, text = self._pattern(line)
        if not text:
            self._warn(f"{self._where}: no replacement text: using empty string")
        parsed = parse(octets(text), self._warn, self._where, self._dialect.out_of_range)
        if parsed is None:
            raise _Skip
        result, highest = parsed
        if highest and negated:
            raise self._tell("$number found in negative match replacement text: skipping this rule")
        if highest and self._secure:
            raise self._tell("regular expression substitution is not allowed: skipping this rule")
        regex, groups = self._compiled(pattern, flags)
        if highest > len(groups):
            raise self._tell(f'out of range replacement index "{highest}": skipping this rule')
        self.rules.append(Rule(regex.search, negated, result, groups, None, self._number, _risky(pattern)))

    def _pattern(self, text: str) -> tuple[bool, str, str, str]:
        """``[!]/pattern/flags rest``."""
        negated = False
        while text.startswith("!"):
            negated = not negated
            text = text[1:].lstrip(SPACE)
        if not text:
            raise self._tell("no regexp: skipping this rule")
        delimiter = text[0]
        at = 1
        while at < len(text) and text[at] != delimiter:
            at += 2 if text[at] == "\\" else 1
        if at >= len(text):
            shown = delimiter if delimiter.isascii() else "?"
            raise self._tell(f'no closing regexp delimiter "{shown}": {self._dialect.unclosed} this rule')
        pattern, rest = text[1:at], text[at + 1 :]
        return negated, pattern, *self._flags(rest)

    def _flags(self, rest: str) -> tuple[str, str]:
        """The flags in force, and what stands after the white space behind them."""
        flags = set(self._dialect.defaults)
        for at, letter in enumerate(rest):
            if letter in SPACE:
                return "".join(flags), rest[at:].strip(SPACE)
            if letter in self._dialect.obsolete:
                self._warn(f'{self._where}: ignoring obsolete regexp option "{letter}"')
            elif letter in self._dialect.flags:
                flags ^= {letter}
            else:
                shown = letter if letter.isascii() else "?"
                raise self._tell(f'unknown regexp option "{shown}": skipping this rule')
        return "".join(flags), ""

    def _compiled(self, pattern: str, flags: str) -> Compiled:
        try:
            return self._dialect.compile(octets(pattern), flags)
        except ValueError as error:
            raise self._tell(str(error)) from None


def _risky(pattern: str) -> bool:
    """A rough look: a quantifier that is quoted counts, too."""
    return sum(map(pattern.count, "*+?{|")) > 1 or "\\1" in pattern


class RuleTable(PatternTable):
    """A list of rules, tried in order."""

    dialect: Dialect

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        self._path = argument
        self._rules = rule_source(self.type, argument, context, self._read)

    def _read(self, text: str, path: str, warn: Callable[[str], None]) -> Rules:
        return _Reader(self.dialect, path, warn, self.options.secure).read(text)

    def find(self, key: str) -> str | None:
        data = octets(key)
        if len(data) > LONGEST_KEY:
            raise TemporaryError(f"{self.name}: key of {len(data)} octets is too long")
        rules, risky = self._rules.current()
        trying = [0]
        if not risky and len(data) < _LONG:
            text = _search(rules, data, trying)
        else:
            try:
                text = within(TIME_LIMIT, _search, rules, data, trying)
            except Overrun:
                raise self._overrun(rules[trying[0]].line, key) from None
        return text if text is None or text.isascii() else self.checked(key, text)

    def _overrun(self, line: int, key: str) -> TemporaryError:
        where = f"{self.type} map {self._path}, line {line}"
        text = f"{where}: no result within {TIME_LIMIT:g} seconds for a key of {len(key)} characters"
        self.log.warning(f'{text}: "{escaped(key[:100])}"')
        return TemporaryError(text)


def _search(rules: list[Rule], data: bytes, trying: list[int]) -> str | None:
    """What the rules make of a key; ``trying`` says meanwhile which rule is tried."""
    at, count = 0, len(rules)
    while at < count:
        search, negated, result, groups, end, _, _ = rules[at]
        trying[0] = at
        at += 1
        match = search(data)
        if (match is None) is not negated:
            if end is not None:
                at = end
        elif end is None:
            return result if isinstance(result, str) else _expanded(result, groups, match)
    return None


def _expanded(parts: tuple[bytes | int, ...], groups: tuple[tuple[int, ...], ...], match: re.Match[bytes]) -> str:
    out = []
    for part in parts:
        if isinstance(part, bytes):
            out.append(part)
        else:
            out.append(next((text for group in groups[part - 1] if (text := match[group]) is not None), b""))
    return string(b"".join(out))
