"""The *single* layout: every role in one process and one reactor.

Order of the start: directories and sockets (while the process may still have privileges), then queue, parts, scheduler, and
only then the first connection is accepted. The end goes the other way round, within a bound: no new connections, sessions
and deliveries finish or are cut off, the queue writes what it was told, the log is written out.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from mailer.config.errors import ConfigError
from mailer.daemons.core import QueueCore
from mailer.daemons.local import LocalSockets
from mailer.daemons.parts import Shared
from mailer.daemons.serving import Serving
from mailer.dns.resolver import Resolver
from mailer.log.maillog import MailLog
from mailer.master.binding import Binding
from mailer.master.directories import Unsafe, prepare
from mailer.master.limits import raise_descriptor_limit
from mailer.master.local import LocalBinding
from mailer.master.notify import Notifier, inherited
from mailer.master.parts import Parts
from mailer.master.plan import Plan
from mailer.master.sockets import CannotBind
from mailer.master.status import StatusSocket, facts
from mailer.net.sweep import Sweep
from mailer.net.turn import quicken

__all__ = ["SingleLayout"]

_fault = Logger()

#: Seconds that sessions and deliveries in progress are given at the end.
DRAIN_SECONDS = 10.0
DELIVERY_SECONDS = 20.0
#: How long the parts of an old configuration are kept for sessions that began with them, and how often that is looked at.
_RETIRE_SECONDS = 3600.0
_RETIRE_POLL = 60.0


class SingleLayout(Service):
    """The mail system in this process.

    :param reload: makes the plan anew for SIGHUP; raises what ``launch.service`` raises.
    """

    def __init__(
        self, plan: Plan, reactor: Any, seconds: Callable[[], float], log: MailLog, reload: Callable[[], Plan]
    ) -> None:
        self._plan = plan
        self._reactor = reactor
        self._seconds = seconds
        self._maillog = log
        self._reload = reload
        settings = plan.configuration.settings
        self._syslog_name = settings.syslog_name
        self._core: QueueCore | None = None
        self._parts: Parts | None = None
        self._local: LocalBinding | None = None
        self._ready = False

    def privilegedStartService(self) -> None:
        """:raise SystemExit: a socket or directory is not to be had."""
        super().privilegedStartService()
        # Not earlier: twistd forks before this when it becomes a daemon, and log lines name the process.
        self._log = self._maillog.service("master", self._syslog_name)
        quicken(self._reactor)
        self._notifier = Notifier(self._reactor)
        raise_descriptor_limit()
        self._binding = Binding(self._log, inherited(self._plan.configuration.settings.queue_directory))
        self._serving = Serving(self._reactor, self._binding.sockets)
        settings = self._plan.configuration.settings
        try:
            prepare(settings)
            self._binding.bind(self._plan)
            self._local = LocalBinding(settings.queue_directory)
            self._status = StatusSocket(settings.queue_directory)
        except (CannotBind, OSError, Unsafe) as error:
            self._log.fatal(str(error))
            self._maillog.drain()
            sys.exit(f"mailer: fatal: {error}")

    def startService(self) -> None:
        super().startService()
        Deferred.fromCoroutine(self._start()).addErrback(self._cannot_start)

    async def _start(self) -> None:
        plan, reactor = self._plan, self._reactor
        settings = plan.configuration.settings
        for problem in plan.problems:
            self._log.warning(str(problem))
        self._core = core = QueueCore(
            settings, reactor, self._seconds, self._maillog, LocalSockets(self._local.sockets)
        )
        await core.open()
        resolver, sweep = Resolver(reactor), Sweep(reactor)
        shared = Shared(
            reactor, self._seconds, self._maillog, resolver, core.queue, core.anvil, sweep, core.flush, core.verifier
        )
        self._parts = parts = Parts(plan, shared)
        self._tell(parts)
        await core.start(parts.qmgr, parts.transports, plan.pickup_interval)
        self._serve(parts)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(self.reload))
        self._ready = True
        self._began = reactor.seconds()
        self._status.serve(reactor, lambda say: say(self._document()))
        self._notifier.ready("serving mail")
        self._log.info(
            f"daemon started -- version {settings.mail_version}, configuration {plan.configuration.directory}"
        )

    def _serve(self, parts: Parts) -> None:
        self._serving.listen(parts.factories)
        self._binding.keep(name for listener in parts.factories for name in listener.sockets)

    def _document(self) -> dict[str, Any]:
        settings = self._plan.configuration.settings
        row: dict[str, Any] = {
            "name": "single",
            "kind": "single",
            "pid": os.getpid(),
            "state": "serving",
            "restarts": 0,
        }
        row["uptime"] = round(self._reactor.seconds() - self._began, 1)
        row["sessions"] = self._serving.sessions
        row["active"] = self._core.qmgr.status().messages if self._core and self._core.qmgr else 0
        return {
            "layout": "single",
            "version": settings.mail_version,
            "configuration": str(self._plan.configuration.directory),
            "processes": [row | facts(os.getpid())],
        }

    def _tell(self, parts: Parts) -> None:
        for problem in parts.problems:
            self._log.warning(problem)

    def _cannot_start(self, failure: Failure) -> None:
        if failure.check(ConfigError, OSError):
            text = failure.getErrorMessage()
        else:
            _fault.failure("the start failed", failure)
            text = f"{failure.type.__name__}: {failure.getErrorMessage()}"
        self._log.fatal(text)
        print(f"mailer: fatal: {text}", file=sys.stderr)
        # twistd has no way to end with a status of ours; after shutdown nothing is left to be done but to say so.
        self._reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        self._reactor.stop()

    def reload(self) -> None:
        """SIGHUP: build and check the new configuration; if it is wrong the old one stays in force. No session is dropped."""
        if not self._ready:
            return
        self._notifier.reloading()
        self._maillog.reopen()
        self._take_over()
        self._notifier.ready("serving mail")

    def _take_over(self) -> None:
        parts = None
        try:
            plan = self._reload()
            parts = Parts(plan, self._parts.shared)
            self._binding.bind(plan)
        except Exception as error:
            self._log.error(f"reload: the old configuration stays in force: {error}")
            if parts is not None:
                self._give_back(parts.stop())
            return
        old, self._parts, self._plan = self._parts, parts, plan
        for problem in plan.problems:
            self._log.warning(str(problem))
        self._tell(parts)
        self._core.reload(parts.qmgr, parts.transports, plan.pickup_interval)
        self._serve(parts)
        self._log.info(f"reload -- configuration {plan.configuration.directory}")
        self._give_back(self._retire(old))

    @staticmethod
    def _give_back(coroutine: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(coroutine).addErrback(
            lambda failure: _fault.failure("giving back a configuration's parts", failure)
        )

    async def _retire(self, parts: Parts) -> None:
        """Sessions and deliveries begun under the old configuration still use its tables."""
        end = self._reactor.seconds() + _RETIRE_SECONDS
        while self._reactor.seconds() < end and any(factory.connections for factory in parts.factories.values()):
            await deferLater(self._reactor, _RETIRE_POLL, lambda: None)
        await deferLater(self._reactor, _RETIRE_POLL, lambda: None)
        await parts.stop()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._notifier.stopping()
        self._status.close()
        if self._core is not None:
            self._core.take_nothing_locally()
        if self._local is not None:
            self._local.close()
        self._binding.keep(())
        await self._serving.stop(DRAIN_SECONDS)
        if self._core is not None:
            await self._core.stop_delivering(DELIVERY_SECONDS)
        if self._parts is not None:
            await self._parts.stop()
        if self._core is not None:
            await self._core.close()
        self._log.info("terminating")
        self._maillog.drain()
