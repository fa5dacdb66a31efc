"""The resolver of a mail system: IResolver's questions put to DNS and to /etc/hosts, the answers kept.

RFC 1035, 2308 (negative answers), 5321 5.1, 6698 (TLSA), 7505 (null MX). A name in an answer that no host can have is
passed over. Whatever keeps an answer from being had is temporary.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from collections.abc import Callable, Iterable
from typing import Any

from twisted.names import dns
from zope.interface import implementer

from mailer.dns.cache import Cache
from mailer.dns.config import Resolv, Watched, parse_hosts, parse_resolv
from mailer.dns.stub import NoAnswer, Stub
from mailer.interfaces.resolver import IResolver
from mailer.message.dns import Answer
from mailer.message.status import TemporaryError

__all__ = ["Resolver"]

_TLSA = 52
_MOST_ALIASES = 10
_MOST_RECORDS = 100
_NEGATIVE_TTL = 60.0  # for a negative answer without SOA
_LONGEST_NEGATIVE_TTL = 3600.0
_HOST = re.compile(r"(?=.{1,255}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})\.?)+").fullmatch
_AGAIN = "Host not found, try again"


def _again(cause: str = _AGAIN) -> TemporaryError:
    return TemporaryError(cause, "4.4.3")


@implementer(IResolver)
class Resolver:
    """Answers questions.

    :param reactor: IReactorUDP, IReactorTCP, IReactorTime.
    :param number: a random number below its argument.
    :param resolv_conf: path; the file is read again when it has changed.
    :param hosts: path of /etc/hosts.
    :param resolv: gives the current Resolv, instead of a file.
    """

    def __init__(
        self,
        reactor: Any,
        number: Callable[[int], int] = secrets.randbelow,
        resolv_conf: str = "/etc/resolv.conf",
        hosts: str = "/etc/hosts",
        resolv: Callable[[], Resolv] | None = None,
    ) -> None:
        self._files = Watched(resolv_conf, parse_resolv, reactor.seconds), Watched(hosts, parse_hosts, reactor.seconds)
        self._resolv = resolv or self._files[0].get
        self._hosts = self._files[1].get
        self._stub = Stub(reactor, self._resolv, number)
        self._cache = Cache(reactor.seconds)
        self._servers = self._resolv().servers

    def settle(self) -> None:
        """Read the files for the last time: the process is about to enter a chroot."""
        for file in self._files:
            file.settle()

    async def mx(self, domain: str) -> Answer:
        return await self._lookup(domain, dns.MX)

    async def addresses(
        self, host: str, families: Iterable[str] = ("ipv4", "ipv6"), hosts: bool = True, search: str = ""
    ) -> Answer:
        wanted = tuple(families)
        literal = _literal(host)
        if literal is not None:
            return Answer((str(literal),) if f"ipv{literal.version}" in wanted else (), True, True, 0.0)
        if hosts:
            known = [each for each in self._hosts().addresses.get(_fold(host), ()) if _family(each) in wanted]
            if known:
                return Answer(tuple(sorted(known, key=lambda each: wanted.index(_family(each)))), True, False, 0.0)
        return await self._first_of(self._candidates(host, search), wanted)

    async def ptr(self, address: str) -> Answer:
        try:
            literal = ipaddress.ip_address(address)
        except ValueError:
            return Answer((), False)
        names = self._hosts().names.get(str(literal))
        if names:
            return Answer(names)
        return await self._lookup(literal.reverse_pointer, dns.PTR)

    async def txt(self, name: str) -> Answer:
        return await self._lookup(name, dns.TXT)

    async def tlsa(self, name: str) -> Answer:
        return await self._lookup(name, _TLSA)

    async def ns(self, domain: str) -> Answer:
        return await self._lookup(domain, dns.NS)

    async def a(self, name: str) -> Answer:
        return await self._lookup(name, dns.A)

    # Names.

    def _candidates(self, host: str, search: str) -> list[str]:
        """The names that ``host`` may stand for (RES_DEFNAMES, RES_DNSRCH)."""
        if not search or host.endswith("."):
            return [host]
        resolv = self._resolv()
        suffixes = resolv.search if search == "res_dnsrch" else resolv.search[:1] if "." not in host else ()
        completed = [f"{host}.{suffix}" for suffix in suffixes]
        if search == "res_dnsrch" and host.count(".") >= resolv.ndots:
            return [host, *completed]
        return [*completed, host]

    async def _first_of(self, names: list[str], families: tuple[str, ...]) -> Answer:
        """The first name with addresses; else the answer for the last one."""
        answer = Answer((), False)
        for name in names:
            answer = await self._both(name, families)
            if answer.records:
                break
        return answer

    async def _both(self, host: str, families: tuple[str, ...]) -> Answer:
        records: list[str] = []
        secure, ttl, exists, trouble, alias = True, float("inf"), False, None, ""
        for family in families:
            try:
                answer = await self._lookup(host, dns.A if family == "ipv4" else dns.AAAA)
            except TemporaryError as error:
                trouble = error
                continue
            records += answer.records
            secure, ttl, exists = secure and answer.secure, min(ttl, answer.ttl), exists or answer.exists
            alias = alias or answer.name
        if trouble is not None and not records:
            raise trouble
        return Answer(tuple(records), exists, secure and bool(families), ttl if families else 0.0, name=alias)

    # Questions.

    async def _lookup(self, name: str, kind: int) -> Answer:
        folded = _fold(name)
        if not _sayable(folded):
            return Answer((), False)
        servers = self._resolv().servers
        if servers != self._servers:
            self._servers = servers
            self._cache.clear()
        return await self._cache.get((folded, kind), lambda: self._ask(folded, kind))

    async def _ask(self, name: str, kind: int) -> Answer:
        """Ask, and follow aliases that the server did not follow itself."""
        secure, ttl, wanted = True, float("inf"), name.encode("ascii")
        for _ in range(_MOST_ALIASES):
            try:
                message = await self._stub.ask(wanted, kind)
            except NoAnswer:
                raise _again() from None
            secure = secure and bool(message.authenticData)
            records, target, kept = _harvest(message, wanted, kind)
            ttl = min(ttl, kept)
            if records or target == wanted or message.rCode == dns.ENAME:
                exists = message.rCode != dns.ENAME
                if not records:
                    ttl = min(ttl, _negative_ttl(message))
                alias = _host_name(target) if target != name.encode("ascii") else ""
                return Answer(records, exists, secure, ttl, name=alias or "")
            wanted = target
        raise _again(f"Name server loop for {name}")


def _harvest(message: Any, name: bytes, kind: int) -> tuple[tuple[Any, ...], bytes, float]:
    """The records of one kind for a name, through the aliases in the message; where these lead; how long it all lasts."""
    aliases: dict[bytes, tuple[bytes, float]] = {}
    found: dict[bytes, list[Any]] = {}
    for header in message.answers[:_MOST_RECORDS]:
        owner = header.name.name.lower()
        if header.cls != dns.IN:
            continue
        if header.type == dns.CNAME:
            aliases.setdefault(owner, (header.payload.name.name.lower(), header.ttl))
        elif header.type == kind:
            found.setdefault(owner, []).append(header)
    ttl = float("inf")
    for _ in range(_MOST_ALIASES):
        if name in found or name not in aliases:
            break
        name, lasts = aliases[name]
        ttl = min(ttl, lasts)
    records = []
    for header in found.get(name, ()):
        value = _READERS[kind](header.payload)
        if value is not None:
            records.append(value)
            ttl = min(ttl, header.ttl)
    if kind == dns.MX:
        records.sort()
    return tuple(records), name, float(ttl)


def _negative_ttl(message: Any) -> float:
    for header in message.authority:
        if header.type == dns.SOA:
            return float(min(header.ttl, header.payload.minimum, _LONGEST_NEGATIVE_TTL))
    return _NEGATIVE_TTL


def _host_name(raw: bytes) -> str | None:
    name = raw.decode("ascii", "replace").rstrip(".")
    return name if _HOST(name) else None


def _read_mx(payload: Any) -> tuple[int, str] | None:
    if payload.name.name in (b"", b"."):
        return payload.preference, ""
    host = _host_name(payload.name.name)
    return None if host is None else (payload.preference, host)


def _read_tlsa(payload: Any) -> tuple[int, int, int, bytes] | None:
    data = payload.data
    return (data[0], data[1], data[2], data[3:]) if len(data) > 3 else None


_READERS: dict[int, Callable[[Any], Any]] = {
    dns.A: lambda payload: payload.dottedQuad(),
    dns.AAAA: lambda payload: socket.inet_ntop(socket.AF_INET6, payload.address),
    dns.MX: _read_mx,
    dns.NS: lambda payload: _host_name(payload.name.name),
    dns.PTR: lambda payload: _host_name(payload.name.name),
    dns.TXT: lambda payload: b"".join(payload.data),
    _TLSA: _read_tlsa,
}


def _fold(name: str) -> str:
    return name.lower().rstrip(".")


def _sayable(name: str) -> bool:
    """Whether a question can be asked about a name at all."""
    return (
        name.isascii()
        and 0 < len(name) <= 253
        and all(0 < len(label) <= 63 for label in name.split("."))
        and not any(char <= " " or char == "\x7f" for char in name)
    )


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _family(literal: str) -> str:
    return "ipv6" if ":" in literal else "ipv4"
