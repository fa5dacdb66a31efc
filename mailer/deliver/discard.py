"""The discard service (discard(8)): mail is thrown away and reported as delivered, the nexthop being the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from mailer.deliver.error import split_status
from mailer.interfaces.transport import ITransport
from mailer.message.delivery import DeliveryRequest
from mailer.message.status import Fate, Outcome

__all__ = ["DiscardTransport", "build"]


@implementer(ITransport)
class DiscardTransport:
    """Pretends.

    :param log: the service's.
    """

    def __init__(self, log: Any) -> None:
        self._log = log

    async def deliver(self, request: DeliveryRequest, outcomes: Any) -> None:
        status, text = split_status(request.nexthop, "2.0.0")
        if status[0] != "2":
            self._log.warning(f'sent: ignoring dsn code "{status}"')
            status = "2.0.0"
        fate = Fate.DELIVERABLE if request.probe else Fate.SENT
        outcome = Outcome(fate, status, text, action="delivered")
        for recipient in request.recipients:
            outcomes.tell(recipient, outcome)

    async def stop(self) -> None:
        return None


def build(argument: Sequence[str], context: Any) -> DiscardTransport:
    """The ``discard`` command of master.cf."""
    return DiscardTransport(context.log)
