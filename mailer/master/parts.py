"""What an instance is made of: one place, read from top to bottom, that knows which concrete part meets which.

Parts belong to one configuration. A reload makes new ones around the same queue, log and resolver; the old ones finish what
they have begun.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from mailer.access.service import Access
from mailer.addressing.service import Addressing
from mailer.clean.chain import build as build_chain
from mailer.config.errors import ConfigError
from mailer.config.mastercf import Service
from mailer.interfaces.context import Context
from mailer.interfaces.transport import ITransportFactory
from mailer.log.maillog import MailLog
from mailer.master.plan import Listener, Plan, TransportPlan
from mailer.plugins.registry import installed
from mailer.receive.smtpd import SmtpdFactory
from mailer.report.reporter import Reporter
from mailer.schedule.limits import limits
from mailer.schedule.qmgr import TransportEntry
from mailer.tables.match import AddressList, matches_subdomains
from mailer.tables.opening import Tables

__all__ = ["Parts", "Shared"]

_IN_REACTOR = 5000
_IN_THREADS = 100


@dataclass(frozen=True)
class Shared:
    """What outlives a reload. ``queue`` is the IQueue, the last of all sinks; ``flush`` tries a domain's mail now (ETRN);
    ``sweep`` watches the time limits of all sessions."""

    reactor: Any
    seconds: Callable[[], float]
    log: MailLog
    dns: Any
    queue: Any
    anvil: Any
    sweep: Any
    flush: Callable[[str], Awaitable[None]]


class Parts:
    """The parts of one configuration.

    :raise ConfigError: a setting that a part depends on is wrong.
    """

    def __init__(self, plan: Plan, shared: Shared) -> None:
        self.plan = plan
        self.shared = shared
        self._tables: list[Tables] = []
        self._access: list[Access] = []
        self._sinks: dict[str, Any] = {}
        self._unusable: list[str] = []
        self.qmgr = self.context("qmgr", "qmgr", plan.settings_for("qmgr", "qmgr"))
        rewriting = self.context("rewrite", "trivial-rewrite", plan.settings_for("trivial-rewrite", "rewrite"))
        self.addressing = Addressing(rewriting)
        self.reporter = Reporter(self._bounce_context())
        #: For transports that pass recipients on to others: filled when all are there.
        self._passing: dict[str, Any] = {}
        self.transports = dict(self._usable_transports())
        self._passing.update({name: entry.transport for name, entry in self.transports.items()})
        self.factories = {listener: self._smtpd(listener) for listener in plan.listeners}

    def context(self, name: str, program: str, settings: Any, **more: Any) -> Context:
        """A service's context: its own settings, log and tables, the shared rest."""
        shared = self.shared
        context = Context(
            settings=settings,
            reactor=shared.reactor,
            seconds=shared.seconds,
            log=shared.log.service(program, settings.syslog_name),
            name=name,
            dns=shared.dns,
            **more,
        )
        tables = Tables(context)
        self._tables.append(tables)
        return replace(context, tables=tables)

    def sink(self, cleanup: str) -> Any:
        """The cleaning chain of a cleanup service, ending in the queue. :raise ConfigError: master.cf has no such one."""
        if cleanup not in self._sinks:
            plan = self.plan
            if cleanup != "cleanup" and cleanup not in plan.inner.get("cleanup", {}):
                raise ConfigError(f"cleanup_service_name: master.cf has no cleanup service named {cleanup}")
            context = self.context(cleanup, "cleanup", plan.settings_for("cleanup", cleanup))
            self._sinks[cleanup] = build_chain(context, Addressing(context), self.shared.queue)
        return self._sinks[cleanup]

    def _bounce_context(self) -> Context:
        settings = self.plan.settings_for("bounce", "bounce")
        return self.context("bounce", "bounce", settings, sink=self.sink(settings.cleanup_service_name))

    def pickup_context(self) -> Context:
        settings = self.plan.settings_for("pickup", "pickup")
        return self.context("pickup", "pickup", settings, sink=self.sink(settings.cleanup_service_name))

    def _usable_transports(self) -> Iterator[tuple[str, TransportEntry]]:
        """A line of master.cf that cannot work (a pipe for software that is not installed) costs its own mail a delay, as
        in Postfix, and not the whole system its start."""
        for carrier in self.plan.transports:
            try:
                yield carrier.service.name, self._transport(carrier)
            except ConfigError as error:
                self._unusable.append(f"{error} (mail for {carrier.service.name} will be deferred)")

    def _transport(self, carrier: TransportPlan) -> TransportEntry:
        service, settings = carrier.service, carrier.settings
        command = _program(service)
        context = self.context(
            service.name,
            command,
            settings,
            sink=self.sink(settings.cleanup_service_name),
            addressing=self.addressing,
            transports=self._passing,
        )
        factory = installed(ITransportFactory, "transport").find(command)
        try:
            transport = factory.build(service.arguments, context)
        except ConfigError as error:
            raise error.at(service.file, service.line) from error
        # The scheduler's limits are main.cf's, as in Postfix: -o in master.cf is for the delivery agent.
        processes = carrier.limit or _unnumbered(command)
        return TransportEntry(
            transport, context.log, limits(self.qmgr.settings, service.name, processes, context.log.warning)
        )

    def _smtpd(self, listener: Listener) -> SmtpdFactory:
        service, settings = listener.service, listener.settings
        context = self.context(service.name, "smtpd", settings)
        addressing = Addressing(context)
        try:
            networks = AddressList(
                settings.mynetworks, context, "mynetworks", matches_subdomains(settings, "mynetworks")
            )
            access = Access(context, addressing, networks)
            self._access.append(access)
            sink = self.sink(settings.cleanup_service_name)
            shared = self.shared
            return SmtpdFactory(context, access, addressing, sink, shared.anvil, shared.flush, shared.sweep)
        except ConfigError as error:
            raise error.at(service.file, service.line) from error

    @property
    def problems(self) -> list[str]:
        """Transports that cannot be used, what was wrong with tables opened so far (those say "cannot tell now" until it is
        mended), and with restriction lists (what is wrong there refuses for now)."""
        found = [problem for part in (*self._tables, *self._access) for problem in part.problems]
        return list(dict.fromkeys(self._unusable + found))

    async def stop(self) -> None:
        """Give back what these parts hold: idle connections, tables."""
        for entry in self.transports.values():
            await entry.transport.stop()
        for access in self._access:
            access.close()
        for tables in self._tables:
            tables.close()


def _unnumbered(command: str) -> int:
    """How many deliveries a service without a number in master.cf runs at once.

    default_process_limit bounds processes; deliveries inside the reactor cost a socket each, so only what starts processes
    or threads of its own is bounded by it in the same way.
    """
    return _IN_REACTOR if command in ("smtp", "relay", "lmtp", "error", "retry", "discard") else _IN_THREADS


def _program(service: Service) -> str:
    return service.command.rpartition("/")[2]
