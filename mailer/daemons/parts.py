"""What the parts of every daemon are made with: one place that gives each service its context, tables and cleaning chain.

Parts belong to one configuration. A reload makes new ones around the same queue, log and resolver; the old ones finish what
they have begun. Which parts a process has is said by its kind's module (smtpd, qmgr, carriers); the single layout has all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mailer.addressing.service import Addressing
from mailer.clean.chain import build as build_chain
from mailer.config.errors import ConfigError
from mailer.config.mastercf import Service
from mailer.interfaces.context import Context
from mailer.log.maillog import MailLog
from mailer.tables.commons import Commons
from mailer.tables.opening import Tables

if TYPE_CHECKING:
    from mailer.master.plan import Plan

__all__ = ["Common", "Shared", "program"]


@dataclass(frozen=True)
class Shared:
    """What outlives a reload. ``queue`` is the IMessageSink that is the last of all, the IQueue itself or the way to it;
    ``anvil`` counts for all; ``flush`` tries a domain's mail now (ETRN); ``sweep`` watches the time limits of all sessions;
    ``verifier`` is the IVerifier.
    A process has no use for some of them: they are None there."""

    reactor: Any
    seconds: Callable[[], float]
    log: MailLog
    dns: Any
    queue: Any
    anvil: Any
    sweep: Any
    flush: Callable[[str], Awaitable[None]] | None
    verifier: Any = None
    elsewhere: Any = None  # mailer.tables.opening.Tables: which tables other processes read
    directory: str = ""  # see Context


class Common:
    """Makes what the services of one configuration need, and gives it back."""

    def __init__(self, plan: Plan, shared: Shared) -> None:
        self.plan = plan
        self.shared = shared
        self._tables: list[Tables] = []
        self._commons = Commons()
        self._sinks: dict[str, Any] = {}

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
            directory=shared.directory,
            **more,
        )
        tables = Tables(context, elsewhere=shared.elsewhere, commons=self._commons)
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

    def addressing(self) -> Addressing:
        """The answers of trivial-rewrite(8)."""
        settings = self.plan.settings_for("trivial-rewrite", "rewrite")
        return Addressing(self.context("rewrite", "trivial-rewrite", settings))

    @property
    def problems(self) -> list[str]:
        """What was wrong with tables opened so far; those say "cannot tell now" until it is mended."""
        return [problem for tables in self._tables for problem in tables.problems]

    def close(self) -> None:
        for tables in self._tables:
            tables.close()
        self._commons.close()


def program(service: Service) -> str:
    """The command of a line of master.cf, without directories."""
    return service.command.rpartition("/")[2]
