"""The *processes* layout: this process keeps root's rights and does nothing with mail; everything else runs in daemons.

It binds the sockets, starts the daemons and keeps them running (`mailer.master.supervision`), goes over to another
configuration at SIGHUP, starts workers for deliveries (`mailer.master.workers`), says how things are. It reads no mail, no
table and nothing from the network; of what daemons say it believes nothing. master(8).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from mailer.log.maillog import MailLog
from mailer.master.binding import Binding
from mailer.master.directories import Unsafe, prepare
from mailer.master.generation import Generation, cores
from mailer.master.keys import KeyWatch
from mailer.master.limits import raise_descriptor_limit
from mailer.master.local import LocalBinding
from mailer.master.maillog import kind_of
from mailer.master.notify import Notifier, inherited
from mailer.master.plan import Plan
from mailer.master.privileges import Owner
from mailer.master.processplan import PRIVATE, plan_processes
from mailer.master.sockets import CannotBind, bind_unix
from mailer.master.spawn import environment
from mailer.master.status import StatusSocket, facts
from mailer.master.supervision import ChangeRefused, Supervisor
from mailer.master.workers import Workers

__all__ = ["ProcessesLayout"]

#: Seconds that all that is under way is given at the end.
DRAIN_SECONDS = 10.0
#: Seconds in which daemons answer a question about themselves.
_ASK_SECONDS = 2.0


class _Sockets(Mapping[str, socket.socket]):
    """All that are bound, by name, whoever bound them."""

    def __init__(self, *parts: Mapping[str, socket.socket]) -> None:
        self._parts = parts

    def __getitem__(self, name: str) -> socket.socket:
        for part in self._parts:
            if name in part:
                return part[name]
        raise KeyError(name)

    def __iter__(self) -> Any:
        return (name for part in self._parts for name in part)

    def __len__(self) -> int:
        return sum(map(len, self._parts))


class ProcessesLayout(Service):
    """:param destination: where ``log`` goes, which daemons are given as well.
    :param reload: makes the plan anew for SIGHUP; raises what ``launch.service`` raises."""

    def __init__(
        self,
        plan: Plan,
        owner: Owner,
        reactor: Any,
        log: MailLog,
        destination: Any,
        reload: Callable[[], Plan],
    ) -> None:
        self._plan = plan
        self._owner = owner
        self._reactor = reactor
        self._maillog = log
        self._destination = destination
        self._reload = reload
        self._settings = plan.configuration.settings
        self._private: dict[str, socket.socket] = {}
        self._changing = False
        self._again = False

    def privilegedStartService(self) -> None:
        """:raise SystemExit: a socket or directory is not to be had."""
        super().privilegedStartService()
        # Not earlier: twistd forks before this when it becomes a daemon, and log lines name the process.
        settings = self._settings
        self._log = self._maillog.service("master", settings.syslog_name)
        self._notifier = Notifier(self._reactor)
        self._limit = raise_descriptor_limit()
        self._binding = Binding(self._log, inherited(settings.queue_directory))
        try:
            prepare(settings, self._owner)
            self._binding.bind(self._plan)
            self._local = LocalBinding(settings.queue_directory)
            self._status = StatusSocket(settings.queue_directory)
            self._bind_private(self._plan)
        except (CannotBind, OSError, Unsafe) as error:
            self._log.fatal(str(error))
            self._maillog.drain()
            sys.exit(f"mailer: fatal: {error}")
        for name in self._binding.given:
            self._log.warning(f"a socket for {name} was handed over, but no line of master.cf names it")

    def _bind_private(self, plan: Plan) -> None:
        """The daemons' own sockets stay bound while those who serve them come and go."""
        for process in plan_processes(plan, cores()).processes:
            for name in process.sockets:
                if name.startswith("private/") and name not in self._private and name not in self._binding.sockets:
                    path = os.path.join(self._settings.queue_directory, PRIVATE, name.removeprefix("private/"))
                    self._private[name] = bind_unix(path, mode=0o600)
                    os.chown(path, self._owner.uid, self._owner.gid)

    def startService(self) -> None:
        super().startService()
        settings = self._settings
        for problem in self._plan.problems:
            self._log.warning(str(problem))
        self._began = self._reactor.seconds()
        self._workers = Workers(self._reactor, self._log, environment(settings.import_environment), settings)
        self._supervisor = Supervisor(
            self._reactor, self._log, settings.service_throttle_time, self._asked, self._settled, self._useless
        )
        self._supervisor.start(self._generation(self._plan))
        self._keys = KeyWatch(self._reactor, self._log, self.renew)
        self._keys.start(self._plan)
        self._status.serve(self._reactor, self._describe)
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload))

    def _generation(self, plan: Plan) -> Generation:
        sockets = _Sockets(self._binding.sockets, self._private, self._local.sockets)
        return Generation(self._reactor, plan, self._owner, sockets, self._log_descriptor, cores())

    def _log_descriptor(self) -> tuple[int, str]:
        return self._destination.fileno(), kind_of(self._destination)

    def _settled(self) -> None:
        settings = self._settings
        self._log.info(
            f"daemon started -- version {settings.mail_version}, configuration {self._plan.configuration.directory}"
        )
        self._log.info(f"{len(list(self._supervisor.processes()))} daemons, {self._limit} descriptors each")
        self._notifier.ready(self._words())

    def _useless(self, reason: str) -> None:
        self._log.fatal(reason)
        print(f"mailer: fatal: {reason}", file=sys.stderr)
        # twistd has no way to end with a status of ours; after shutdown nothing is left to be done but to say so.
        self._reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        self._reactor.stop()

    def _words(self) -> str:
        trouble = [slot.plan.name for slot in self._supervisor.slots.values() if slot.trouble]
        return f"in trouble: {', '.join(trouble)}" if trouble else "serving mail"

    def _asked(self, process: Any, message: dict[str, Any], descriptors: list[int]) -> None:
        kind = message["type"]
        if kind == "worker" and process.plan.kind == "deliver":
            self._workers.asked(process, message, descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        if kind == "kill":
            self._workers.kill(process, message.get("pid"))
        elif kind == "log":
            self._hand_out_log([process])

    def _hand_out_log(self, processes: Any) -> None:
        try:
            descriptor, _ = self._log_descriptor()
        except OSError:
            # Nobody there yet; whoever needs it asks again with the next line.
            return
        for process in processes:
            process.renew_log(descriptor)

    # -- reload

    def reload(self) -> None:
        """SIGHUP: the new configuration is checked and its processes are made ready beside the old ones, which go on if that
        fails. No session is dropped."""
        if self._changing:
            self._again = True
            return
        self._changing = True
        self._notifier.reloading()
        self._maillog.reopen(lambda: self._hand_out_log(self._supervisor.processes()))
        Deferred.fromCoroutine(self._change()).addErrback(self._refused).addBoth(self._changed)

    def renew(self) -> None:
        """New TLS keys: the configuration in force goes on with new processes, which can read them. No session is dropped."""
        if self._changing:  # whatever is being started reads them anyway
            return
        self._changing = True
        Deferred.fromCoroutine(self._renew()).addErrback(self._refused).addBoth(self._changed)

    async def _renew(self) -> None:
        await self._supervisor.change(self._generation(self._plan))
        self._log.info("TLS keys have changed: the daemons were replaced")

    async def _change(self) -> None:
        plan = self._reload()
        self._binding.bind(plan)
        self._bind_private(plan)
        generation = self._generation(plan)
        await self._supervisor.change(generation)
        self._plan = plan
        self._keys.start(plan)
        self._binding.keep(name for listener in plan.listeners for name in listener.sockets)
        for problem in plan.problems:
            self._log.warning(str(problem))
        self._log.info(f"reload -- configuration {plan.configuration.directory}")

    def _refused(self, failure: Any) -> None:
        self._binding.keep(name for listener in self._plan.listeners for name in listener.sockets)
        self._log.error(f"reload: the old configuration stays in force: {failure.getErrorMessage()}")
        if not failure.check(ChangeRefused, CannotBind, OSError) and failure.type.__name__ != "CannotStart":
            print(failure.getTraceback(), file=sys.stderr)

    def _changed(self, _: Any) -> None:
        self._changing = False
        self._notifier.ready(self._words())
        if self._again:
            self._again = False
            self.reload()

    # -- status

    def _describe(self, say: Callable[[dict[str, Any]], None]) -> None:
        processes = list(self._supervisor.processes())
        waiting = {id(process) for process in processes if process.state in ("ready", "serving", "draining")}
        said = False

        def finish() -> None:
            nonlocal said
            if not said:
                said = True
                say(self._document())

        late = self._reactor.callLater(_ASK_SECONDS, finish)

        def answered(process: Any) -> None:
            waiting.discard(id(process))
            if not waiting and late.active():
                late.cancel()
                finish()

        for process in processes:
            if id(process) in waiting:
                process.ask(lambda process=process: answered(process))

    def _document(self) -> dict[str, Any]:
        now = self._reactor.seconds()
        rows: list[dict[str, Any]] = [
            {"name": "master", "kind": "master", "pid": os.getpid(), "state": "serving", "restarts": 0}
        ]
        rows[0]["uptime"] = round(now - self._began, 1)
        for slot in self._supervisor.slots.values():
            for process in (slot.process, *slot.leaving):
                if process is not None:
                    row = {"name": slot.plan.name, "kind": slot.plan.kind, "pid": process.pid, "state": process.state}
                    row |= {"restarts": slot.restarts, "uptime": round(now - process.born, 1)}
                    row |= {"chroot": slot.plan.chroot, "broken": process.broken}
                    rows.append({**process.account, **row})
            if slot.process is None and not slot.leaving:
                rows.append(
                    {
                        "name": slot.plan.name,
                        "kind": slot.plan.kind,
                        "pid": 0,
                        "state": "waiting",
                        "restarts": slot.restarts,
                        "trouble": slot.trouble,
                    }
                )
        for row in rows:
            row.update(facts(row["pid"]) if row["pid"] else {})
        return {
            "layout": "processes",
            "version": self._settings.mail_version,
            "configuration": str(self._plan.configuration.directory),
            "workers": self._workers.count,
            "processes": rows,
        }

    # -- end

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._notifier.stopping()
        self._keys.stop()
        self._local.close()
        self._binding.keep(())
        await self._supervisor.stop(DRAIN_SECONDS)
        self._status.close()
        for sock in self._private.values():
            sock.close()
        self._log.info("terminating")
        self._maillog.drain()
