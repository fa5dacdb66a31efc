"""A plan to the processes that carry it out: which there are, what each serves, which sockets it is given. Pure.

smtpd and smtp are as many as there are processor cores; the other kinds are one process each. Lines of master.cf that differ
in their chroot column never share a process, for smtpd and smtp; qmgr, deliver and proxymap work outside, as Postfix ships
qmgr, local, virtual, pipe and proxymap. master(5), master(8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mailer.config.mastercf import Service
from mailer.master.plan import Listener, Plan

__all__ = ["PRIVATE", "PUBLIC", "ProcessPlan", "Processes", "plan_processes"]

#: Where the daemons' own sockets are, below the queue directory.
PRIVATE = "mailer/private"
#: Sockets of the queue manager that tools talk to: name -> whether it is for datagrams.
PUBLIC = {"public/pickup": True, "public/showq": False, "public/flush": False, "public/qmgr": False}

#: Commands of master.cf whose deliveries the process of this kind carries out; all others are `deliver`'s.
_SENDING = frozenset(("smtp", "relay", "lmtp"))
_IN_QMGR = frozenset(("error", "retry", "discard"))


@dataclass(frozen=True)
class ProcessPlan:
    """One process. ``index`` is unique within its kind; ``services`` are the lines of master.cf that it serves, as
    ``NAME/TYPE``, or None for whatever its kind does; ``sockets`` are listening ones, by name."""

    kind: str
    index: int = 0
    services: frozenset[str] | None = None
    chroot: bool = False
    sockets: tuple[str, ...] = ()
    numbered: bool = False

    @property
    def name(self) -> str:
        return f"{self.kind}.{self.index}" if self.numbered else self.kind


@dataclass(frozen=True)
class Processes:
    """``peers`` has, for each transport that runs outside qmgr, the processes that serve it, by service name."""

    processes: tuple[ProcessPlan, ...]
    peers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def plan_processes(plan: Plan, cores: int) -> Processes:
    """:param cores: what this machine's processors can do at once, 1 or more."""
    settings = plan.configuration.settings
    processes = [ProcessPlan("proxymap", sockets=("private/proxymap",))]
    processes.append(ProcessPlan("qmgr", sockets=("private/qmgr", *PUBLIC)))
    peers: dict[str, tuple[str, ...]] = {}
    carriers = [carrier.service for carrier in plan.transports]
    delivering = [service for service in carriers if _command(service) not in _SENDING | _IN_QMGR]
    if delivering:
        processes.append(ProcessPlan("deliver", 0, _names(delivering), False, ("private/deliver",)))
        peers.update((service.name, ("deliver",)) for service in delivering)
    sending = [service for service in carriers if _command(service) in _SENDING]
    for process in _sending(sending, max(settings.mailer_smtp_processes, 0) or cores):
        processes.append(process)
        for service in sending:
            if _name(service) in process.services:
                peers[service.name] = (*peers.get(service.name, ()), process.name)
    processes += _receiving(plan.listeners, max(settings.mailer_smtpd_processes, 0), cores)
    return Processes(tuple(processes), peers)


def _sending(services: list[Service], count: int) -> Iterable[ProcessPlan]:
    index = 0
    for chroot in (False, True):
        group = [service for service in services if service.chroot is chroot]
        for _ in range(count if group else 0):
            yield ProcessPlan("smtp", index, _names(group), chroot, (f"private/smtp.{index}",), numbered=True)
            index += 1


def _receiving(listeners: Iterable[Listener], asked: int, cores: int) -> Iterable[ProcessPlan]:
    index = 0
    for chroot in (False, True):
        group = [listener for listener in listeners if listener.service.chroot is chroot]
        sockets = tuple(name for listener in group for name in listener.sockets)
        services = _names(listener.service for listener in group)
        for _ in range(asked or _most(group, cores)):
            if group:
                yield ProcessPlan("smtpd", index, services, chroot, sockets, numbered=True)
                index += 1


def _most(listeners: list[Listener], cores: int) -> int:
    """A line that allows fewer processes than there are cores allows these; the most generous of a group counts."""
    return max((min(cores, listener.service.maxproc or cores) for listener in listeners), default=0)


def _command(service: Service) -> str:
    return service.command.rpartition("/")[2]


def _name(service: Service) -> str:
    return f"{service.name}/{service.type}"


def _names(services: Iterable[Service]) -> frozenset[str]:
    return frozenset(map(_name, services))
