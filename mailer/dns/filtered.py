"""A resolver whose answers pass a table before they count (postconf(5): smtpd_dns_reply_filter and its kind).

The table is asked ``name. ttl IN type value`` for each record, with the preference before the value of an MX record, and may
say IGNORE. What the system's host lookup gives (``hosts=True``) is no DNS reply, and passes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from mailer.interfaces.resolver import IResolver
from mailer.message.dns import Answer
from mailer.message.status import TemporaryError

__all__ = ["FilteredResolver"]


def _value(record: Any) -> str:
    return f"{record}."


def _exchanger(record: Any) -> str:
    preference, host = record
    return f"{preference} {host}."


def _text(record: Any) -> str:
    return record.decode("utf-8", "surrogateescape") if isinstance(record, bytes) else str(record)


def _association(record: Any) -> str:
    usage, selector, matching, data = record
    return f"{usage} {selector} {matching} {data.hex().upper()}"


@implementer(IResolver)
class FilteredResolver:
    """:param dns: an IResolver. :param table: an ITable. :param parameter: its name in main.cf, for the log."""

    def __init__(self, dns: Any, table: Any, log: Any, parameter: str) -> None:
        self._dns = dns
        self._table = table
        self._log = log
        self._parameter = parameter

    async def mx(self, domain: str) -> Answer:
        answer: Answer = await self._dns.mx(domain)
        if (
            answer.records and not answer.records[0][1]
        ):  # that a domain takes no mail is known before the table is asked
            return answer
        return await self._passing(domain, "MX", answer, _exchanger)

    async def addresses(
        self, host: str, families: Any = ("ipv4", "ipv6"), hosts: bool = True, search: str = ""
    ) -> Answer:
        answer: Answer = await self._dns.addresses(host, families, hosts, search)
        if hosts:
            return answer
        return await self._passing(host, "", answer, _text)

    async def ptr(self, address: str) -> Answer:
        return await self._passing(address, "PTR", await self._dns.ptr(address), _value)

    async def txt(self, name: str) -> Answer:
        return await self._passing(name, "TXT", await self._dns.txt(name), _text)

    async def tlsa(self, name: str) -> Answer:
        return await self._passing(name, "TLSA", await self._dns.tlsa(name), _association)

    async def ns(self, domain: str) -> Answer:
        return await self._passing(domain, "NS", await self._dns.ns(domain), _value)

    async def a(self, name: str) -> Answer:
        return await self._passing(name, "A", await self._dns.a(name), _text)

    async def _passing(self, name: str, kind: str, answer: Answer, shown: Callable[[Any], str]) -> Answer:
        """:raise TemporaryError: the table cannot tell, or says what it should not."""
        kept = []
        for record in answer.records:
            value = shown(record)
            line = f"{name.rstrip('.')}. {int(answer.ttl)} IN {kind or ('AAAA' if ':' in value else 'A')} {value}"
            found = await self._table.lookup(line)
            if found is None:
                kept.append(record)
            elif found.strip().upper() == "IGNORE":
                self._log.info(f"ignoring DNS RR: {line}")
            else:
                self._log.warning(f"{self._parameter}: unknown DNS filter action: {found!r}")
                raise TemporaryError("Invalid DNS reply filter syntax", "4.3.5")
        if len(kept) == len(answer.records):
            return answer
        return replace(answer, records=tuple(kept), filtered=not kept)
