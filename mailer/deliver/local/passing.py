"""Recipients that another transport is to deliver: mailbox_transport, fallback_transport and their tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mailer.deliver.local.run import Run
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.message.status import MailError, Outcome

__all__ = ["Passing"]


class _Heard:
    """The IOutcomes of the other transport: it has one recipient to tell of."""

    def __init__(self, run: Run, name: str) -> None:
        self._run = run
        self._name = name
        self.told = False

    def tell(self, recipient: Recipient, outcome: Outcome, shown: Recipient | None = None) -> None:
        self.told = True
        self._run.parts.append((shown or recipient, replace(outcome, service=self._name)))

    def partial(self, shown: Recipient, outcome: Outcome) -> None:
        self._run.parts.append((shown, replace(outcome, service=self._name)))

    def unreachable(self, status: str, reason: str) -> None:
        """One user's nexthop says nothing of local delivery."""


class Passing:
    """:param transports: ITransport by service name; live."""

    def __init__(self, transports: Any, log: Any) -> None:
        self._transports = transports
        self._log = log

    async def deliver(self, run: Run, address: str, spec: str) -> None:
        """:param spec: ``transport:nexthop`` or ``transport``."""
        name, _, nexthop = spec.partition(":")
        transport = self._transports.get(name) if self._transports is not None else None
        request = run.request
        if transport is None:
            self._log.warning(f"{request.queue_id}: cannot pass <{address}> to transport {name}: there is none")
            run.failed(address, "4.3.5", "mail system configuration error")
            return
        self._log.info(f"{request.queue_id}: passing <{address}> to transport={name}")
        heard = _Heard(run, name)
        try:
            await transport.deliver(self._request(request, name, nexthop, run.shown(address)), heard)
        except MailError as error:
            if not heard.told:
                run.failed(
                    address, "4" + error.reply.enhanced[1:] if error.reply.enhanced else "4.3.0", error.reply.text
                )
            return
        if not heard.told:
            run.failed(address, "4.3.0", "unknown mail transport error")

    @staticmethod
    def _request(request: DeliveryRequest, name: str, nexthop: str, recipient: Recipient) -> DeliveryRequest:
        domain = recipient.address.rpartition("@")[2]
        return replace(request, transport=name, nexthop=nexthop or domain, recipients=[recipient], context=None)
