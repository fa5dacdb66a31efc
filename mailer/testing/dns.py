"""A resolver whose answers are written down: a zone in a dict.

It keeps IResolver's promises (null MX, NODATA apart from NXDOMAIN, literals answer themselves) and knows nothing of the
network. A name that is not in the zone does not exist; a name that is there without records of a type has no such data.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from zope.interface import implementer

from mailer.interfaces.resolver import IResolver
from mailer.message.dns import Answer
from mailer.message.status import TemporaryError

__all__ = ["FAILS", "FakeResolver"]

FAILS = "temporary failure"
"""Stands in a zone for an answer that cannot be had now."""


@implementer(IResolver)
class FakeResolver:
    """Answers from ``zone``: ``{name: {type: records}}``, or ``{name: FAILS}``, or ``{name: {type: FAILS}}``.

    Types are MX (``[(10, "mx.example")]``; ``[(0, "")]`` is a null MX), A, AAAA, PTR (the name is the address itself),
    TXT (bytes), TLSA and NS. Names are matched without regard to case or a final dot. ``secure`` lists the names whose
    answers are validated, ``hosts`` is what /etc/hosts would say. ``queries`` records what was asked: ``(type, name)``.
    The zone may be changed at any time.
    """

    def __init__(
        self,
        zone: Mapping[str, Mapping[str, Any] | str] | None = None,
        secure: Iterable[str] = (),
        ttl: float = 3600.0,
        hosts: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self.zone: dict[str, Any] = {_fold(name): records for name, records in (zone or {}).items()}
        self.secure = {_fold(name) for name in secure}
        self.ttl = ttl
        self.hosts = {_fold(name): tuple(addresses) for name, addresses in (hosts or {}).items()}
        self.queries: list[tuple[str, str]] = []

    async def mx(self, domain: str) -> Answer:
        answer = self._answer("MX", domain)
        return Answer(tuple(sorted(answer.records)), answer.exists, answer.secure, answer.ttl)

    async def addresses(
        self, host: str, families: Iterable[str] = ("ipv4", "ipv6"), hosts: bool = True, search: str = ""
    ) -> Answer:
        literal = _literal(host)
        wanted = tuple(families)
        if literal is not None:
            here = (str(literal),) if f"ipv{literal.version}" in wanted else ()
            return Answer(here, True, True, self.ttl)
        known = [
            each for each in self.hosts.get(_fold(host), ()) if hosts and f"ipv{6 if ':' in each else 4}" in wanted
        ]
        if known:
            return Answer(tuple(known))
        answers, failure = [], None
        for family in wanted:
            try:
                answers.append(self._answer("A" if family == "ipv4" else "AAAA", host))
            except TemporaryError as error:
                failure = error
        records = tuple(record for answer in answers for record in answer.records)
        if failure is not None and not records:
            raise failure
        exists = any(answer.exists for answer in answers)
        return Answer(records, exists, bool(answers) and all(answer.secure for answer in answers), self.ttl)

    async def ptr(self, address: str) -> Answer:
        return self._answer("PTR", address)

    async def txt(self, name: str) -> Answer:
        return self._answer("TXT", name)

    async def tlsa(self, name: str) -> Answer:
        return self._answer("TLSA", name)

    async def ns(self, domain: str) -> Answer:
        return self._answer("NS", domain)

    async def a(self, name: str) -> Answer:
        return self._answer("A", name)

    def _answer(self, kind: str, name: str) -> Answer:
        self.queries.append((kind, name))
        key = _fold(name)
        known = self.zone.get(key)
        secure = key in self.secure
        if known is None:
            return Answer((), False, secure, self.ttl)
        records = known if isinstance(known, str) else known.get(kind, ())
        if records == FAILS:
            raise TemporaryError("Host not found, try again", "4.4.3")
        return Answer(tuple(records), True, secure, self.ttl)


def _fold(name: str) -> str:
    return name.lower().rstrip(".")


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
