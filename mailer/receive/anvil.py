"""Counts what each client does, as Postfix's anvil(8): connections at a time, and events per time unit.

Knows clients by address (or the network it lies in) and service; knows neither limits nor what happens beyond them.
Methods are coroutines because the counts may live in another process.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from mailer.receive.anvilpeaks import Peaks

__all__ = ["Anvil", "Rates"]

#: Clients remembered; beyond this those without a connection whose time unit is over are forgotten at once.
_MANY = 10_000


class Rates:
    """One client's counts: ``connections`` at this moment, the others since ``start``."""

    __slots__ = ("auths", "connections", "messages", "newtls", "rate", "recipients", "start")

    def __init__(self, start: float) -> None:
        self.connections = 0
        self.begin(start)

    def begin(self, start: float) -> None:
        self.start = start
        self.rate = self.messages = self.recipients = self.newtls = self.auths = 0


class Anvil:
    """Counts for any number of services.

    :param seconds: a clock that only goes forward.
    :param time_unit: anvil_rate_time_unit.
    :param ipv4_prefix, ipv6_prefix: smtpd_client_ipv4_prefix_length and its sister: what counts as one client.
    :param wall: the wall clock, for ``peaks``; None: nobody asks for them.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        time_unit: float = 60.0,
        ipv4_prefix: int = 32,
        ipv6_prefix: int = 84,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._seconds = seconds
        self._time_unit = time_unit
        self._prefixes = {4: ipv4_prefix, 6: ipv6_prefix}
        self._clients: dict[tuple[str, str], Rates] = {}
        self.peaks = Peaks(wall or seconds, time_unit)

    def __len__(self) -> int:
        return len(self._clients)

    async def connect(self, service: str, address: str, limit: int = 0) -> tuple[int, int]:
        """:param limit: of connections at a time, if nothing else matters to the caller: as long as there are far fewer, the
            answer may be about the caller's own ones (mailer.ipc.counting).
        :return: connections now and in this time unit, this one included.
        """
        rates = self._rates(service, address)
        rates.connections += 1
        rates.rate += 1
        client = service, address
        self.peaks.note("connection rate", rates.rate, client)
        self.peaks.note("connection count", rates.connections, client)
        self.peaks.clients(len(self._clients))
        return rates.connections, rates.rate

    async def disconnect(self, service: str, address: str) -> None:
        key = service, self._network(address)
        rates = self._clients.get(key)
        if rates is None:
            return
        rates.connections -= 1
        if rates.connections <= 0 and rates.start + self._time_unit < self._seconds():
            del self._clients[key]

    async def message(self, service: str, address: str) -> int:
        rates = self._rates(service, address)
        rates.messages += 1
        self.peaks.note("message rate", rates.messages, (service, address))
        return rates.messages

    async def recipient(self, service: str, address: str) -> int:
        rates = self._rates(service, address)
        rates.recipients += 1
        self.peaks.note("recipient rate", rates.recipients, (service, address))
        return rates.recipients

    async def newtls(self, service: str, address: str, more: int = 1) -> int:
        """:param more: 0: only ask how many there were."""
        rates = self._rates(service, address)
        rates.newtls += more
        if more:
            self.peaks.note("newtls rate", rates.newtls, (service, address))
        return rates.newtls

    async def auth(self, service: str, address: str) -> int:
        rates = self._rates(service, address)
        rates.auths += 1
        self.peaks.note("auth rate", rates.auths, (service, address))
        return rates.auths

    def _rates(self, service: str, address: str) -> Rates:
        now = self._seconds()
        key = service, self._network(address)
        rates = self._clients.get(key)
        if rates is None:
            if len(self._clients) >= _MANY:
                self._forget(now)
            rates = self._clients[key] = Rates(now)
        elif rates.start + self._time_unit < now:
            rates.begin(now)
        return rates

    def _network(self, address: str) -> str:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return address
        prefix = self._prefixes[parsed.version]
        if prefix >= parsed.max_prefixlen:
            return address
        return str(ipaddress.ip_network((parsed, prefix), strict=False))

    def _forget(self, now: float) -> None:
        over = [
            key
            for key, rates in self._clients.items()
            if rates.connections <= 0 and rates.start + self._time_unit < now
        ]
        for key in over:
            del self._clients[key]
