"""The client's host name: its address's name in the DNS, confirmed by looking that name up again.

A name that is not confirmed is ``unknown``, as is one that cannot be had now. What became of the look-ups is kept apart for
reject_unknown_client_hostname and its sister.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mailer.message.status import TemporaryError
from mailer.wire.smtp.path import valid_hostname

__all__ = ["FORGED", "NONE", "OK", "PeerNames", "TEMPORARY", "PeerName", "plain_address"]

OK, TEMPORARY, NONE, FORGED = "ok", "temporary", "none", "forged"

_MOST_KNOWN = 4096
_LONGEST_KNOWN = 300.0


@dataclass(frozen=True, slots=True)
class PeerName:
    """``name`` and ``reverse_name`` as Client has them; ``status`` and ``reverse_status`` say how it went.

    ``warning`` is what the log should say, or "".
    """

    name: str = "unknown"
    reverse_name: str = "unknown"
    status: str = NONE
    reverse_status: str = NONE
    warning: str = ""


def plain_address(host: str) -> str:
    """A socket's address without scope; IPv4 in IPv6 becomes IPv4."""
    host = host.partition("%")[0]
    return host[7:] if host.startswith("::ffff:") and "." in host else host


class PeerNames:
    """Looks names up and remembers them for a while.

    :param resolver: IResolver, or None: nobody has a name.
    :param seconds: a clock that only goes forward.
    """

    def __init__(self, resolver: Any, seconds: Callable[[], float]) -> None:
        self._resolver = resolver
        self._seconds = seconds
        self._known: dict[str, tuple[float, PeerName]] = {}

    async def look_up(self, address: str) -> PeerName:
        """:param address: an IP literal."""
        if self._resolver is None:
            return PeerName()
        known = self._known.get(address)
        now = self._seconds()
        if known is not None and known[0] > now:
            return known[1]
        found, lifetime = await self._ask(address)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[address] = now + min(lifetime, _LONGEST_KNOWN), found
        return found

    async def _ask(self, address: str) -> tuple[PeerName, float]:
        try:
            answer = await self._resolver.ptr(address)
        except TemporaryError:
            return PeerName(status=TEMPORARY, reverse_status=TEMPORARY), 0.0
        name = str(answer.records[0]).rstrip(".") if answer.records else ""
        if not valid_hostname(name):
            return PeerName(), answer.ttl
        family = "ipv6" if ":" in address else "ipv4"
        try:
            forward = await self._resolver.addresses(name, (family,))
        except TemporaryError:
            warning = f"hostname {name} does not resolve to address {address}: Temporary failure in name resolution"
            return PeerName("unknown", name, TEMPORARY, OK, warning), 0.0
        lifetime = min(answer.ttl, forward.ttl)
        if not forward.records:
            warning = f"hostname {name} does not resolve to address {address}: Name or service not known"
            return PeerName("unknown", name, NONE, OK, warning), lifetime
        if not any(_same(address, record) for record in forward.records):
            warning = f"hostname {name} does not resolve to address {address}"
            return PeerName("unknown", name, FORGED, OK, warning), lifetime
        return PeerName(name, name, OK, OK), lifetime


def _same(one: str, other: str) -> bool:
    return one == other or ipaddress.ip_address(one) == ipaddress.ip_address(other)
