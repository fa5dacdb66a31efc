"""``cidr:/file``: network address blocks (cidr_table(5)).

Rules are tried in order; one about IPv4 says nothing about an IPv6 address, not even with ``!``. A table without IF and
without ``!`` is indexed by prefix length, so that a block list of any size takes a few dict lookups.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from mailer.tables.base import PatternTable
from mailer.tables.lines import SPACE, logical_lines
from mailer.tables.network import Network, address_number, parse_network
from mailer.tables.rulefile import rule_source

__all__ = ["CidrTable"]

_IF = re.compile(r"if(?![A-Za-z0-9])", re.IGNORECASE).match
_ENDIF = re.compile(r"endif(?![A-Za-z0-9])", re.IGNORECASE).match
_FIRST_WORD = re.compile(rf"([^{re.escape(SPACE)}]*)(.*)", re.DOTALL).fullmatch


class _Rule(NamedTuple):
    """``end`` is None for a rule with a value; for an IF, the index of the rule after its ENDIF."""

    network: Network
    negated: bool
    value: str
    end: int | None


class _Skip(Exception):
    """This line gives no rule."""


class _Rules:
    """The rules of one file, ready to be asked."""

    def __init__(self, text: str, path: str, warn: Callable[[str], None]) -> None:
        self._rules: list[_Rule] = []
        self._open: list[tuple[int, int]] = []
        for number, line in logical_lines(text, path, warn):
            try:
                self._line(number, line.rstrip(SPACE))
            except ValueError as error:
                warn(f"cidr map {path}, line {number}: {error}: skipping this rule")
        while self._open:
            index, number = self._open.pop()
            warn(f"cidr map {path}, line {number}: IF has no matching ENDIF")
            self._close(index)
        simple = all(rule.end is None and not rule.negated for rule in self._rules)
        self._index = _indexed(self._rules) if simple else None

    def _close(self, index: int) -> None:
        self._rules[index] = self._rules[index]._replace(end=len(self._rules))

    def _line(self, number: int, line: str) -> None:
        if _ENDIF(line):
            if line[5:].strip(SPACE):
                raise ValueError("garbage after ENDIF")
            if not self._open:
                raise ValueError("ENDIF without IF")
            self._close(self._open.pop()[0])
        elif _IF(line):
            negated, pattern = _negation(line[2:].lstrip(SPACE))
            rule = _Rule(parse_network(pattern), negated, "", 0)
            self._open.append((len(self._rules), number))
            self._rules.append(rule)
        else:
            negated, rest = _negation(line)
            word = _FIRST_WORD(rest)
            assert word is not None
            network = parse_network(word[1])
            value = word[2].strip(SPACE)
            if not value:
                raise ValueError("no lookup result")
            self._rules.append(_Rule(network, negated, value, None))

    def find(self, address: tuple[int, int]) -> str | None:
        return self._by_prefix(address) if self._index is not None else self._in_order(address)

    def _by_prefix(self, address: tuple[int, int]) -> str | None:
        bits, number = address
        best, value = len(self._rules), None
        for shift, entries in self._index[bits]:  # type: ignore[index]
            found = entries.get(number >> shift)
            if found is not None and found[0] < best:
                best, value = found
        return value

    def _in_order(self, address: tuple[int, int]) -> str | None:
        rules = self._rules
        at = 0
        while at < len(rules):
            network, negated, value, end = rules[at]
            at += 1
            if network.bits != address[0] or (address in network) is negated:
                if end is not None:
                    at = end
            elif end is None:
                return value
        return None


_Index = dict[int, list[tuple[int, dict[int, tuple[int, str]]]]]


def _indexed(rules: list[_Rule]) -> _Index:
    """For each address length the prefixes in use: shift, and the first rule for each block."""
    index: dict[int, dict[int, dict[int, tuple[int, str]]]] = {32: {}, 128: {}}
    for position, rule in enumerate(rules):
        shift = rule.network.shift
        blocks = index[rule.network.bits].setdefault(shift, {})
        blocks.setdefault(rule.network.number >> shift, (position, rule.value))
    return {bits: list(prefixes.items()) for bits, prefixes in index.items()}


def _negation(text: str) -> tuple[bool, str]:
    negated = False
    while text.startswith("!"):
        negated = not negated
        text = text[1:].lstrip(SPACE)
    if not text:
        raise ValueError("no address pattern")
    return negated, text


class CidrTable(PatternTable):
    """Keys that are no addresses are absent."""

    type = "cidr"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        self._rules = rule_source(self.type, argument, context, _Rules)

    def find(self, key: str) -> str | None:
        address = address_number(key)
        if address is None:
            return None
        value = self._rules.current().find(address)
        return value if value is None else self.checked(key, value)
