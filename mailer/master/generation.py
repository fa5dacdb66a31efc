"""One configuration in force: how each of its processes is born. Master makes a new one for each reload."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from mailer.master.birth import Birth, written
from mailer.master.births import Born, Nursery, alone
from mailer.master.plan import Plan
from mailer.master.privileges import Owner
from mailer.master.process import Process
from mailer.master.processplan import ProcessPlan, plan_processes
from mailer.master.spawn import environment

__all__ = ["Generation", "cores"]


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Generation:
    """:param sockets: bound ones, by name; may grow, but never lacks one that the plan names.
    :param log: gives the descriptor of the mail log, and what it is (`mailer.master.maillog.kind_of`)."""

    def __init__(
        self, reactor: Any, plan: Plan, owner: Owner, sockets: Mapping[str, socket.socket], log: Any, count: int
    ) -> None:
        settings = plan.configuration.settings
        self.plan = plan
        self.processes = plan_processes(plan, count)
        self._reactor = reactor
        self._owner = owner
        self._sockets = sockets
        self._log = log
        self._directory = settings.queue_directory
        self._environment = environment(settings.import_environment)
        self._file = written(plan.configuration)
        self._nursery: Nursery | None = None

    @property
    def process_plans(self) -> tuple[ProcessPlan, ...]:
        return self.processes.processes

    @property
    def peers(self) -> dict[str, list[str]]:
        return {name: list(processes) for name, processes in self.processes.peers.items()}

    @property
    def descriptor(self) -> int:
        return self._file.fileno()

    @contextmanager
    def together(self, plans: Iterable[ProcessPlan]) -> Iterator[None]:
        """What is started inside, all of ``plans``, is born in one nursery. :raise OSError:"""
        self._nursery = nursery = Nursery(self._reactor, [plan.kind for plan in plans], self._environment)
        try:
            yield
        finally:
            self._nursery = None
            nursery.close()

    def _start(self, name: str) -> Callable[[socket.socket, Callable[[int], None]], Born]:
        if self._nursery is not None:
            return self._nursery.bear
        return partial(alone, self._reactor, name, self._environment)

    def start(self, plan: ProcessPlan, watcher: Any) -> Process:
        """:raise OSError:"""
        owner = self._owner
        descriptor, kind = self._log()
        # The maildrop's files belong to their submitters and to this group.
        groups = {*owner.groups, owner.drop_gid} if plan.kind == "qmgr" else set(owner.groups) - {owner.drop_gid}
        birth = Birth(
            kind=plan.kind,
            index=plan.index,
            name=plan.name,
            services=None if plan.services is None else sorted(plan.services),
            uid=owner.uid,
            gid=owner.gid,
            groups=sorted(groups),
            chroot=plan.chroot,
            directory=self._directory,
            log=kind,
            master=os.getpid(),
            peers=self.peers,
        )
        handed = {"configuration": self.descriptor, "log": descriptor}
        # An address family that this machine lacks has left a gap.
        handed.update((name, self._sockets[name].fileno()) for name in plan.sockets if name in self._sockets)
        return Process(self._reactor, plan, birth, handed, self._start(plan.name), watcher)
