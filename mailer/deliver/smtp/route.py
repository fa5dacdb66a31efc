"""From a destination to the addresses to call, in order: MX, A and AAAA lookups and what their failure means.

RFC 5321 5.1, RFC 7505, smtp(8); postconf(5): smtp_host_lookup, smtp_randomize_addresses, smtp_address_preference,
smtp_balance_inet_protocols, ignore_mx_lookup_error, smtp_defer_if_no_mx_address_found. Knows nothing of connections.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from mailer.deliver.smtp.destination import Destination
from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.reason import LOOP_STATUS, Reason
from mailer.message.status import TemporaryError

__all__ = ["Address", "Finder", "Route"]

_NOT_FOUND = "Host not found"
_NO_DATA = "Host found but no data record of requested type"
_TYPES = {"ipv4": "A", "ipv6": "AAAA"}


@dataclass(frozen=True, slots=True)
class Address:
    """Somewhere to call: the host's name, one of its addresses, the preference of its MX record.

    ``secure``: its address was validated; ``alias``: what the host's name is an alias of, or ""; ``insecure_mx``: the MX
    record that led here was not validated.
    """

    host: str
    address: str
    preference: int = 0
    secure: bool = False
    alias: str = ""
    insecure_mx: bool = False

    @property
    def family(self) -> str:
        return "ipv6" if ":" in self.address else "ipv4"


@dataclass(frozen=True, slots=True)
class Route:
    """``addresses`` in the order to try them; if there are none, ``reason``. ``is_mx`` says that we are ourselves a mail
    exchanger of the domain, so that nobody else but better ones may have its mail."""

    addresses: tuple[Address, ...] = ()
    reason: Reason | None = None
    is_mx: bool = False


class Finder:
    """Finds routes.

    :param is_own: whether an address literal is one of ours (inet_interfaces, proxy_interfaces).
    """

    def __init__(
        self, parameters: ClientParameters, dns: Any, log: Any, random: Random, is_own: Callable[[str], bool]
    ) -> None:
        self._parameters = parameters
        self._dns = dns
        self._log = log
        self._random = random
        self._is_own = is_own
        self._methods = ("native",) if parameters.dns_support == "disabled" else parameters.host_lookup

    async def find(self, destination: Destination, detect_loops: bool) -> Route:
        """:param detect_loops: whether addresses of our own are to be avoided."""
        if destination.mx and self._parameters.dns_support != "disabled":
            return await self._domain(destination.host, detect_loops)
        return await self._host(destination.host, detect_loops)

    async def _domain(self, domain: str, detect_loops: bool) -> Route:
        name = _ascii(domain)
        if not _plausible(name):
            return await self._after_mx_failure(
                name, detect_loops, Reason("5.4.4", _lookup_text(name, "MX", "Invalid host or domain name"))
            )
        try:
            answer = await self._dns.mx(name)
        except TemporaryError as error:
            reason = Reason("4.4.3", _lookup_text(name, "MX", error.cause))
            return await self._after_mx_failure(name, detect_loops, reason)
        if not answer.records:
            return await self._host(name, detect_loops)
        if any(not host for _, host in answer.records):
            return Route(reason=Reason("5.1.0", f"Domain {domain} does not accept mail (nullMX)"))
        return await self._exchangers(domain, answer, detect_loops)

    async def _after_mx_failure(self, name: str, detect_loops: bool, reason: Reason) -> Route:
        if self._parameters.ignore_mx_lookup_error:
            return await self._host(name, detect_loops)
        return Route(reason=reason)

    async def _exchangers(self, domain: str, answer: Any, detect_loops: bool) -> Route:
        best = answer.records[0][0]
        addresses: list[Address] = []
        reason: Reason | None = None
        for preference, host in answer.records:
            if _literal(host) is not None:
                self._log.warning(f"numeric domain name in resource data of MX record for {domain}: {host}")
            found = await self._lookup(host, preference)
            addresses.extend(replace(each, insecure_mx=not answer.secure) for each in found.addresses)
            if found.reason is not None:
                # A temporary failure outweighs those before and after it.
                reason = found.reason.softened() if reason is not None and reason.soft else found.reason
        if not addresses:
            assert reason is not None
            if self._parameters.defer_if_no_mx_address_found:
                reason = reason.softened()
            self._log.warning(f"no MX host for {domain} has a valid address record")
            return Route(reason=reason)
        is_mx = False
        if detect_loops:
            limit = min((each.preference for each in addresses if self._is_own(each.address)), default=None)
            if limit is not None:
                is_mx = True
                best_found = min(each.preference for each in addresses)
                addresses = [each for each in addresses if each.preference < limit]
                if not addresses:
                    return Route(reason=_loop(domain, best == best_found), is_mx=True)
        return Route(self._ordered(addresses), is_mx=is_mx)

    async def _host(self, host: str, detect_loops: bool) -> Route:
        found = await self._lookup(_ascii(host), 0)
        if detect_loops and any(self._is_own(each.address) for each in found.addresses):
            return Route(reason=Reason(LOOP_STATUS, f"mail for {host} loops back to myself"))
        return Route(self._ordered(list(found.addresses)), found.reason)

    async def _lookup(self, host: str, preference: int) -> Route:
        """The addresses of one host, or why there are none."""
        families = self._parameters.inet_protocols
        literal = _literal(host)
        if literal is not None and f"ipv{literal.version}" in families:
            return Route((Address(host, str(literal), preference),))
        reason = Reason("5.4.4", f"{host}: host not found")
        for method in self._methods:
            try:
                answer = await self._dns.addresses(host, families, method == "native", self._parameters.search)
            except TemporaryError as error:
                reason = _temporary(host, families[-1], method, error.cause)
                if method == "dns":
                    break
                continue
            if answer.records:
                secure, alias = answer.secure and method == "dns", answer.name
                return Route(tuple(Address(host, each, preference, secure, alias) for each in answer.records))
            reason = _absent(host, families[-1], method, answer.exists)
        return Route(reason=reason)

    def _ordered(self, addresses: list[Address]) -> tuple[Address, ...]:
        if len(addresses) < 2:
            return tuple(addresses)
        parameters = self._parameters
        if parameters.randomize_addresses:
            self._random.shuffle(addresses)
        preferred = parameters.address_preference
        addresses.sort(key=lambda each: (each.preference, preferred != "any" and each.family != preferred))
        if parameters.balance_inet_protocols:
            addresses = balanced(addresses, parameters.mx_address_limit)
        return tuple(addresses)


def balanced(addresses: list[Address], limit: int) -> list[Address]:
    """See to it that, of the first ``limit`` addresses, neither protocol has more than its half unless the other has
    fewer (smtp_balance_inet_protocols)."""
    counts = {"ipv4": 0, "ipv6": 0}
    for each in addresses:
        counts[each.family] += 1
    if not limit or len(addresses) <= limit or not all(counts.values()):
        return addresses
    half = limit // 2
    rooms = {"ipv4": max(limit - half, limit - counts["ipv6"]), "ipv6": max(half, limit - counts["ipv4"])}
    if counts["ipv4"] < rooms["ipv4"]:
        rooms["ipv6"] = limit - counts["ipv4"]
    chosen: list[Address] = []
    others: list[Address] = []
    for each in addresses:
        rooms[each.family] -= 1
        (chosen if rooms[each.family] >= 0 else others).append(each)
    return chosen + others


def _loop(domain: str, at_best: bool) -> Reason:
    if at_best:
        return Reason(LOOP_STATUS, f"mail for {domain} loops back to myself")
    return Reason("4.4.4", f"unable to find primary relay for {domain}")


def _lookup_text(name: str, kind: str, why: str) -> str:
    return f"Host or domain name not found. Name service error for name={name} type={kind}: {why}"


def _temporary(host: str, family: str, method: str, cause: str) -> Reason:
    if method == "native":
        return Reason("4.3.0", f"unable to look up host {host}: Temporary failure in name resolution")
    return Reason("4.4.3", _lookup_text(host, _TYPES[family], cause))


def _absent(host: str, family: str, method: str, exists: bool) -> Reason:
    if method == "native":
        return Reason("5.4.4", f"unable to look up host {host}: Name or service not known")
    return Reason("5.4.4", _lookup_text(host, _TYPES[family], _NO_DATA if exists else _NOT_FOUND))


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _ascii(name: str) -> str:
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def _plausible(name: str) -> bool:
    return name.isascii() and 0 < len(name) <= 255 and not any(char <= " " or char == "\x7f" for char in name)
