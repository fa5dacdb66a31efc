"""qmgr(8), and what belongs to the queue: reports to senders (bounce(8)), local submission (pickup(8)).

Talks to the transports, wherever they run, and to the queue's own files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mailer.daemons.parts import Common, program
from mailer.interfaces.context import Context
from mailer.report.reporter import Reporter
from mailer.schedule.limits import limits
from mailer.schedule.qmgr import TransportEntry

if TYPE_CHECKING:
    from mailer.master.plan import TransportPlan

__all__ = ["QmgrParts"]

_IN_REACTOR = 5000
_IN_THREADS = 100


class QmgrParts:
    """``context``, ``addressing`` and ``reporter`` are what the queue manager is made with.

    :raise ConfigError: a setting that a part depends on is wrong.
    """

    def __init__(self, common: Common) -> None:
        plan = common.plan
        self._common = common
        self.context = common.context("qmgr", "qmgr", plan.settings_for("qmgr", "qmgr"))
        self.addressing = common.addressing()
        self.reporter = Reporter(self._sending("bounce"))

    def pickup_context(self) -> Context:
        return self._sending("pickup")

    def verify_context(self) -> Context:
        return self._sending("verify", addressing=self.addressing)

    def _sending(self, name: str, **more: Any) -> Context:
        """The context of a service that submits mail of its own."""
        settings = self._common.plan.settings_for(name, name)
        sink = self._common.sink(settings.cleanup_service_name)
        return self._common.context(name, name, settings, sink=sink, **more)

    def entries(self, plans: Iterable[TransportPlan], transports: Mapping[str, Any]) -> dict[str, TransportEntry]:
        """What the scheduler is given of those services that have an ITransport."""
        return {
            plan.service.name: self._entry(plan, transports[plan.service.name])
            for plan in plans
            if plan.service.name in transports
        }

    def _entry(self, plan: TransportPlan, transport: Any) -> TransportEntry:
        command, name = program(plan.service), plan.service.name
        log = self._common.shared.log.service(command, plan.settings.syslog_name)
        # The scheduler's limits are main.cf's, as in Postfix: -o in master.cf is for the delivery agent.
        processes = plan.limit or _unnumbered(command)
        return TransportEntry(transport, log, limits(self.context.settings, name, processes, log.warning))


def _unnumbered(command: str) -> int:
    """How many deliveries a service without a number in master.cf runs at once.

    default_process_limit bounds processes; deliveries inside the reactor cost a socket each, so only what starts processes
    or threads of its own is bounded by it in the same way.
    """
    return _IN_REACTOR if command in ("smtp", "relay", "lmtp", "error", "retry", "discard") else _IN_THREADS
