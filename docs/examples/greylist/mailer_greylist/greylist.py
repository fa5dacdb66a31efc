"""Greylisting: whoever has not been seen before is asked to come again (RFC 6647).

Remembers client network, sender and recipient, the least recently used forgotten first. A client network that has come again
often enough is waved through.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.restriction import IRestriction
from mailer.message.status import Reply

__all__ = ["Greylist", "build"]

_MOST = 100_000
_TRUSTED_AFTER = 5


@implementer(IRestriction)
class Greylist:
    """:param delay: seconds until another attempt counts. :param seconds: the clock."""

    def __init__(self, delay: int, seconds: Callable[[], float]) -> None:
        self._delay = delay
        self._seconds = seconds
        self._seen: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._returned: OrderedDict[str, int] = OrderedDict()

    async def check(self, examination: Any) -> Reply | None:
        session = examination.session
        if session.envelope is None or not session.recipient or session.client.sasl_username:
            return None
        network = _network(session.client.address)
        if self._returned.get(network, 0) >= _TRUSTED_AFTER:
            return None
        triplet = (network, session.envelope.sender.lower(), session.recipient.lower())
        now = self._seconds()
        first = self._seen.setdefault(triplet, now)
        self._seen.move_to_end(triplet)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        if now - first < self._delay:
            left = int(self._delay - (now - first)) or 1
            return Reply(
                450,
                "4.2.0",
                f"<{session.recipient}>: Recipient address rejected: Greylisted, try again in {left} seconds",
            )
        self._count(network)
        return None

    def _count(self, network: str) -> None:
        self._returned[network] = self._returned.get(network, 0) + 1
        self._returned.move_to_end(network)
        if len(self._returned) > _MOST:
            self._returned.popitem(last=False)


def _network(address: str) -> str:
    """The /24, or /64, that senders with many machines send from."""
    width = 64 if ":" in address else 24
    return str(ipaddress.ip_network(f"{address}/{width}", strict=False))


def build(argument: str, context: Any) -> Greylist:
    delay = int(argument)
    if delay > 86400:
        raise ConfigError(f"defer_greylisted {argument}: nobody waits for more than a day")
    return Greylist(delay, context.seconds)
