"""The error and retry services (error(8)): the nexthop is the reason why the recipients are returned, or wait."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from mailer.interfaces.transport import ITransport
from mailer.message.delivery import DeliveryRequest
from mailer.message.status import Fate, Outcome

__all__ = ["ErrorTransport", "build", "build_retry", "split_status"]

_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)").match


def split_status(reason: str, default: str) -> tuple[str, str]:
    """``5.1.1 no such user`` -> its RFC 3463 code and the text; without a code the default one."""
    found = _STATUS(reason)
    return (found.group(1), reason[found.end() :]) if found else (default, reason)


@implementer(ITransport)
class ErrorTransport:
    """Gives every recipient the same fate.

    :param soft: whether the recipients wait (service ``retry``) or are returned.
    :param log: the service's.
    """

    def __init__(self, soft: bool, log: Any) -> None:
        self._soft = soft
        self._log = log

    async def deliver(self, request: DeliveryRequest, outcomes: Any) -> None:
        default = "4.0.0" if self._soft else "5.0.0"
        status, text = split_status(request.nexthop, default)
        if status[0] != default[0]:
            action = "defer_append" if self._soft else "bounce_append"
            self._log.warning(f'{action}: ignoring dsn code "{status}"')
            status = default
        fate = Fate.UNDELIVERABLE if request.probe else Fate.DEFERRED if self._soft else Fate.BOUNCED
        outcome = Outcome(fate, status, text)
        for recipient in request.recipients:
            outcomes.tell(recipient, outcome)

    async def stop(self) -> None:
        return None


def build(argument: Sequence[str], context: Any) -> ErrorTransport:
    """The ``error`` command of master.cf; the service that is called ``retry`` defers."""
    return ErrorTransport(context.name == "retry", context.log)


def build_retry(argument: Sequence[str], context: Any) -> ErrorTransport:
    """An ``error`` that defers under any service name."""
    return ErrorTransport(True, context.log)
