"""Transports of other people's plug-ins: bounded in time; whatever they do wrong defers the mail.

What a delivery tells after its time was over is not listened to: its recipients are deferred by then, and may be under way
again.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.transport import IOutcomes, ITransport
from mailer.message.status import MailError
from mailer.plugins.guard import Guard, build, describe

__all__ = ["GuardedTransport", "guarded_transport"]

#: Seconds for giving resources back.
_STOP_SECONDS = 10.0


def guarded_transport(factory: Any, arguments: Any, context: Any) -> GuardedTransport:
    """Build a plug-in's transport. :raise ConfigError: it cannot be built."""
    title = f"transport {context.name} ({describe(factory)})"
    transport = build(factory, arguments, context, f"transport {context.name}")
    if not ITransport.providedBy(transport):
        raise ConfigError(f"{title}: {transport!r} is no ITransport")
    limit = context.settings.plugin_delivery_time_limit
    return GuardedTransport(transport, Guard(title, limit, context), Guard(title, _STOP_SECONDS, context))


@implementer(ITransport)
class GuardedTransport:
    """See the module."""

    def __init__(self, transport: Any, guard: Guard, at_end: Guard) -> None:
        self._transport = transport
        self._guard = guard
        self._at_end = at_end

    async def deliver(self, request: Any, outcomes: Any) -> None:
        told = _Outcomes(outcomes, self._guard)
        try:
            await self._guard.run(self._transport.deliver(request, told))
        finally:
            told.over = True

    async def stop(self) -> None:
        try:
            await self._at_end.run(self._transport.stop())
        except MailError:
            return  # told already; the service ends anyway


@implementer(IOutcomes)
class _Outcomes:
    """Passes on what is told in time."""

    def __init__(self, outcomes: Any, guard: Guard) -> None:
        self._outcomes = outcomes
        self._guard = guard
        self.over = False

    def _in_time(self, recipient: Any) -> bool:
        if self.over:
            self._guard.fault(f"told what became of {recipient.address} after the delivery was over")
        return not self.over

    def tell(self, recipient: Any, outcome: Any, shown: Any = None) -> None:
        if self._in_time(recipient):
            self._outcomes.tell(recipient, outcome, shown)

    def partial(self, shown: Any, outcome: Any) -> None:
        if self._in_time(shown):
            self._outcomes.partial(shown, outcome)

    def unreachable(self, status: str, reason: str) -> None:
        if not self.over:
            self._outcomes.unreachable(status, reason)
