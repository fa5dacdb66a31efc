"""Lists of clients and domains in the DNS: how one is asked, and which of its answers count (RFC 5782, postconf(5)).

``list.example`` or ``list.example=127.0.0.[2;4..8]``: behind ``=`` stands a pattern for the addresses that count.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from mailer.access.evaluation import Evaluation
from mailer.config.errors import ConfigError
from mailer.message.status import TemporaryError
from mailer.wire.smtp.path import valid_hostname

__all__ = ["DnsList", "parse_pattern", "reverse"]

_UNPRINTABLE = re.compile(rb"[^ -~]")
_PART = re.compile(r"\d+|\.\.|.", re.ASCII)
_FAILED = "Host or domain name not found. Name service error for name={} type=A: {}"

Octets = tuple[frozenset[int], ...]


class _Reading:
    """The words of a pattern, one after the other; what is wrong is told with the place marked ``>like this<``."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = list(_PART.finditer(text))
        self._at = 0

    @property
    def word(self) -> str:
        return self._words[self._at].group() if self._at < len(self._words) else ""

    def take(self) -> str:
        word = self.word
        self._at += 1
        return word

    def wrong(self, problem: str) -> ConfigError:
        start = self._words[self._at].start() if self._at < len(self._words) else len(self._text)
        end = self._words[self._at].end() if self._at < len(self._words) else start
        place = f"{self._text[:start]}>{self._text[start:end]}<{self._text[end:]}"
        return ConfigError(f'RBL reply error: {problem} at "{place}"')

    def expect(self, word: str) -> None:
        if self.word != word:
            raise self.wrong(f'need "{word}"')
        self.take()

    def number(self) -> int:
        word = self.word
        if not word.isdigit() or len(word) > 3 or int(word) > 255:
            raise self.wrong("need decimal number 0..255")
        return int(self.take())


def parse_pattern(text: str) -> Octets:
    """Four sets of numbers. :raise ConfigError: no such pattern."""
    reading = _Reading(text)
    octets = []
    for position in range(4):
        if position:
            reading.expect(".")
        octets.append(_alternatives(reading) if reading.word == "[" else frozenset((reading.number(),)))
    if reading.word:
        raise reading.wrong("garbage after pattern")
    return tuple(octets)


def _alternatives(reading: _Reading) -> frozenset[int]:
    reading.expect("[")
    found: set[int] = set()
    while True:
        first = last = reading.number()
        if reading.word == "..":
            reading.take()
            if reading.word.isdigit() and int(reading.word) <= first:
                raise reading.wrong("numeric range error")
            last = reading.number()
        found.update(range(first, last + 1))
        if reading.word != ";":
            break
        reading.take()
    reading.expect("]")
    return frozenset(found)


class DnsList:
    """One list. ``domain`` is its name without the pattern. What it is asked about are domains and reversed addresses.

    :raise ConfigError: the pattern makes no sense.
    """

    def __init__(self, spec: str, dns: Any) -> None:
        self.domain, equals, pattern = spec.partition("=")
        self._pattern = parse_pattern(pattern) if equals else None
        self._dns = dns

    async def lists(self, state: Evaluation, item: str) -> bool:
        """Whether something is listed. :raise TemporaryError: cannot tell now; the log knows."""
        query = f"{item}.{self.domain}"
        if not valid_hostname(query):
            return False
        unanswered = state.session.delayed.unanswered
        if query in unanswered:
            raise TemporaryError(f"{query}: no answer before")
        try:
            answer = await self._dns.a(query)
        except TemporaryError as error:
            unanswered.add(query)
            state.warn(f"{query}: RBL lookup error: {_FAILED.format(query, error.cause)}")
            raise
        return any(self._counts(address) for address in answer.records)

    async def reason(self, item: str) -> str:
        """What the list says about it, "" if nothing."""
        try:
            answer = await self._dns.txt(f"{item}.{self.domain}")
        except TemporaryError:
            return ""
        return _UNPRINTABLE.sub(b" ", answer.records[0]).decode("ascii") if answer.records else ""

    def _counts(self, address: str) -> bool:
        if self._pattern is None:
            return True
        return all(int(octet) in allowed for octet, allowed in zip(address.split("."), self._pattern, strict=True))


def reverse(address: str) -> str:
    """``4.3.2.1`` for ``1.2.3.4``; an IPv6 address by its 32 digits."""
    pointer = ipaddress.ip_address(address).reverse_pointer
    return pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
