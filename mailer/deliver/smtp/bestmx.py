"""best_mx_transport: who delivers mail for a domain whose best mail exchanger turns out to be this very machine (postconf(5))."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient

__all__ = ["BestMx"]


class BestMx:
    """:param spec: ``transport:nexthop`` or ``transport``. :param transports: ITransport by service name; live."""

    def __init__(self, spec: str, transports: Any, log: Any) -> None:
        self._name, _, self._nexthop = spec.partition(":")
        self._transports = transports
        self._log = log

    async def deliver(self, request: DeliveryRequest, recipients: list[Recipient], outcomes: Any) -> bool:
        """Pass recipients on. :return: False if there is no such transport."""
        transport = self._transports.get(self._name) if self._transports is not None else None
        if transport is None:
            self._log.warning(f"{request.queue_id}: cannot pass mail to transport {self._name}: there is none")
            return False
        for recipient in recipients:
            self._log.info(f"{request.queue_id}: passing <{recipient.address}> to transport={self._name}")
        nexthop = self._nexthop or request.nexthop
        passed = replace(request, transport=self._name, nexthop=nexthop, recipients=list(recipients), context=None)
        await transport.deliver(passed, outcomes)
        return True
