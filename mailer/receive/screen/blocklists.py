"""postscreen_dnsbl_sites: one score for a client from many lists in the DNS (postconf(5), dnsblog(8)).

All lists are asked at once; each that lists the client adds its weight. Who connects several times at once is asked about
once. A list that cannot tell now adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from twisted.internet.task import deferLater

from mailer.access.dnsxl import parse_pattern, reverse
from mailer.config.errors import ConfigError
from mailer.message.status import TemporaryError
from mailer.net.driver import Driver

__all__ = ["Blocklists", "Score", "Site"]

_FAILED = "Host or domain name not found. Name service error for name={} type=A: {}"


@dataclass(frozen=True)
class Site:
    """One list: its domain, the addresses that count (None: all), and its weight."""

    domain: str
    pattern: Any
    weight: int

    def counts(self, address: str) -> bool:
        if self.pattern is None:
            return True
        return all(int(octet) in allowed for octet, allowed in zip(address.split("."), self.pattern, strict=True))


@dataclass(eq=False)
class Score:
    """What the lists say of one client so far. ``domain`` is the one of most ``weight`` against it, ``ttl`` how long the
    shortest-lived answer lasts (None: there is none). ``complete``: all lists have answered, or their time is up;
    ``waiting`` are called then."""

    total: int = 0
    domain: str = ""
    weight: int = 0
    ttl: float | None = None
    outstanding: set[str] = field(default_factory=set)
    complete: bool = False
    waiting: list[Callable[[], None]] = field(default_factory=list)


class Blocklists:
    """:param logs: of the service dnsblog, and the screen's own. :raise ConfigError: a site makes no sense."""

    def __init__(
        self, sites: Sequence[str], dns: Any, reactor: Any, logs: tuple[Any, Any], timeout: float, delay: float
    ) -> None:
        self._dns = dns
        self._reactor = reactor
        self._log, self._screen_log = logs
        self._timeout = timeout
        self._delay = delay
        self._sites = [_site(text) for text in sites]
        self._domains = list(dict.fromkeys(site.domain for site in self._sites))
        self._scores: dict[str, Score] = {}

    def __bool__(self) -> bool:
        return bool(self._sites)

    def ask(self, address: str, done: Callable[[], None]) -> Score:
        """Begin to ask about an address, if that is not under way already.

        :param done: called when all have answered or their time is up, unless that is now."""
        score = self._scores.get(address)
        if score is None:
            score = self._scores[address] = Score(outstanding=set(self._domains))
            timer = self._reactor.callLater(self._timeout, self._overdue, address, score)
            for domain in self._domains:
                question = self._question(score, address, domain)
                Driver(question, partial(self._answered, address, score, timer, domain)).resume()
        if not score.complete:
            score.waiting.append(done)
        return score

    async def _question(self, score: Score, address: str, domain: str) -> None:
        query = f"{reverse(address)}.{domain}"
        if self._delay:
            await deferLater(self._reactor, self._delay)
        try:
            answer = await self._dns.a(query)
        except TemporaryError as error:
            text = _FAILED.format(query, error.cause)
            self._log.warning(f"dnsblog_query: lookup error for DNS query {query}: {text}")
            return
        for record in answer.records:
            self._log.info(f"addr {address} listed by domain {domain} as {record}")
        if answer.ttl or answer.records:
            score.ttl = answer.ttl if score.ttl is None else min(score.ttl, answer.ttl)
        for site in self._sites:
            if site.domain == domain and any(site.counts(record) for record in answer.records):
                score.total += site.weight
                if site.weight > score.weight or (site.weight == score.weight and self._before(domain, score.domain)):
                    score.domain, score.weight = domain, site.weight

    def _before(self, one: str, other: str) -> bool:
        """Of lists that weigh the same refusals name the one that main.cf names first, whichever answered first."""
        return bool(other) and self._domains.index(one) < self._domains.index(other)

    def _answered(self, address: str, score: Score, timer: Any, domain: str, error: BaseException | None) -> None:
        if error is not None:
            self._log.error(f"{address}: {type(error).__name__}: {error}")
        score.outstanding.discard(domain)
        if not score.outstanding and not score.complete:
            timer.cancel()
            self._end(address, score)

    def _overdue(self, address: str, score: Score) -> None:
        for domain in self._domains:
            if domain in score.outstanding:
                self._screen_log.warning(f"dnsblog reply timeout {self._timeout:.0f}s for {domain}")
        self._end(address, score)

    def _end(self, address: str, score: Score) -> None:
        """All have answered, or will not be waited for any longer."""
        if self._scores.get(address) is score:
            del self._scores[address]
        score.complete = True
        waiting, score.waiting = score.waiting, []
        for call in waiting:
            call()


def _site(text: str) -> Site:
    """``domain=pattern*weight``"""
    rest, star, weight = text.partition("*")
    domain, equals, pattern = rest.partition("=")
    try:
        number = int(weight) if star else 1
    except ValueError:
        raise ConfigError(f'postscreen_dnsbl_sites: bad DNSBL weight factor "{weight}" in "{text}"') from None
    try:
        return Site(domain.lower(), parse_pattern(pattern) if equals else None, number)
    except ConfigError as error:
        raise ConfigError(f"postscreen_dnsbl_sites: bad DNSBL filter syntax: {error}") from None
