"""master.cf to a plan: which listeners, which transports, which settings, and what cannot be served. Pure.

Postfix's own daemons that are no programs of ours (cleanup, trivial-rewrite, bounce, anvil ...) are roles inside the process:
their lines are read for their ``-o`` settings, and nothing is started for them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from mailer.config.errors import ConfigError, Problem, closest_name
from mailer.config.load import Configuration
from mailer.config.mastercf import Service

__all__ = ["Listener", "Plan", "TransportPlan", "make_plan", "socket_name"]

#: Commands that are parts of the process, not transports and not listeners.
INNER = frozenset(
    (
        "anvil",
        "bounce",
        "cleanup",
        "dnsblog",
        "flush",
        "nqmgr",
        "oqmgr",
        "pickup",
        "postlogd",
        "proxymap",
        "qmgr",
        "scache",
        "showq",
        "tlsmgr",
        "tlsproxy",
        "trivial-rewrite",
        "verify",
    )
)
#: Commands that Postfix has and we do not, with what that means for the administrator.
MISSING = {
    "qmqpd": "not supported: nothing listens there",
    "spawn": "not supported: nothing listens there",
}
_FAMILIES = {"ipv4": ("ipv4",), "ipv6": ("ipv6",), "all": ("ipv4", "ipv6")}


@dataclass(frozen=True)
class Listener:
    """An smtpd socket. ``addresses`` are ``(IP literal, port)``; ``path`` is a UNIX socket below the queue directory.
    ``behind`` is set where postscreen serves it: the ``smtpd pass`` that takes the clients who passed its tests."""

    service: Service
    settings: Any
    addresses: tuple[tuple[str, int], ...] = ()
    path: str = ""
    behind: Listener | None = None

    @property
    def sockets(self) -> tuple[str, ...]:
        """The names of its sockets: ``address:port``, ``[IPv6 address]:port``, or the path."""
        names = tuple(socket_name(address, port) for address, port in self.addresses)
        return (*names, self.path) if self.path else names


@dataclass(frozen=True)
class TransportPlan:
    """A transport. ``limit`` is the number of deliveries at the same time that master.cf asks for; None: no number."""

    service: Service
    settings: Any
    limit: int | None


@dataclass(frozen=True)
class Plan:
    """What one instance consists of. ``inner`` maps a role's command name to its lines' settings, by service name."""

    configuration: Configuration
    listeners: tuple[Listener, ...] = ()
    transports: tuple[TransportPlan, ...] = ()
    inner: dict[str, dict[str, Any]] = field(default_factory=dict)
    pickup_interval: int = 60
    problems: tuple[Problem, ...] = ()

    def settings_for(self, command: str, name: str) -> Any:
        """The settings of an inner service, or those of main.cf when master.cf does not name it."""
        return self.inner.get(command, {}).get(name, self.configuration.settings)


def socket_name(address: str, port: int) -> str:
    """How a TCP socket is named between those who bind and those who serve."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def make_plan(configuration: Configuration, transports: Iterable[str], resolve: Callable[[str], Iterable[Any]]) -> Plan:
    """Work out the plan.

    :param transports: names of the transport plug-ins that are installed.
    :param resolve: IP addresses (ipaddress objects) of a host name in inet_interfaces or master.cf.
    :raise ConfigError: a setting that the plan itself depends on is wrong.
    """
    known = frozenset(transports)
    problems: list[Problem] = []
    listeners, carriers, inner = [], [], {}
    interval = 60
    for service in configuration.services:
        command = service.command.rpartition("/")[2]
        settings = configuration.for_service(service)
        if command == "smtpd" or (command == "postscreen" and service.type == "inet"):
            listeners.append(_listener(service, settings, resolve, problems))
        elif command in known:
            carriers.append(TransportPlan(service, settings, service.maxproc or None))
        elif command in INNER:
            inner.setdefault(command, {})[service.name] = settings
            if command == "pickup" and service.wakeup:
                interval = service.wakeup
        elif command not in MISSING:
            problems.append(_unknown(service, command, known))
        if command in MISSING:
            problems.append(
                Problem("warning", f"service {service.name}: {command}: {MISSING[command]}", *_place(service))
            )
    listeners = _without_pass(listeners, problems)
    return Plan(configuration, tuple(listeners), tuple(carriers), inner, interval, tuple(problems))


def _place(service: Service) -> tuple[str | None, int | None]:
    return service.file, service.line


def _unknown(service: Service, command: str, known: frozenset[str]) -> Problem:
    meant = closest_name(command, known | INNER | {"smtpd"})
    hint = f"; did you mean {meant}?" if meant else f"; transports installed: {', '.join(sorted(known))}"
    text = f"service {service.name}: no transport plug-in is named {command}{hint}"
    return Problem("warning", f"{text} (mail for it will be deferred)", *_place(service))


def _without_pass(listeners: list[Listener], problems: list[Problem]) -> list[Listener]:
    """``smtpd pass`` has no socket: it gets its clients from postscreen (smtpd_service_name)."""
    passed = {listener.service.name: listener for listener in listeners if listener.service.type == "pass"}
    result = []
    for listener in listeners:
        service = listener.service
        if service.type == "pass":
            continue
        if service.command.endswith("postscreen"):
            name = listener.settings.smtpd_service_name
            if name in passed:
                listener = replace(listener, behind=passed[name])
            else:
                text = f"service {service.name}: master.cf has no service {name} of type pass"
                problems.append(Problem("warning", f"{text}; its clients are not tested", *_place(service)))
        result.append(listener)
    return result


def _listener(
    service: Service, settings: Any, resolve: Callable[[str], Iterable[Any]], problems: list[Problem]
) -> Listener:
    if service.type == "pass":
        return Listener(service, settings)
    if service.type != "inet":
        directory = "private" if service.private else "public"
        return Listener(service, settings, path=f"{directory}/{service.name}")
    host, _ = service.endpoint
    addresses = _resolve([host], resolve, service) if host else _interfaces(settings, resolve, service)
    families = settings.inet_protocols
    wanted = [address for address in addresses if _family(address) in _protocols(families)]
    if not wanted:
        text = f"service {service.name}: inet_protocols ({', '.join(families)}) leaves no address to listen on"
        problems.append(Problem("error", text, *_place(service)))
    return Listener(service, settings, tuple((address, service.port) for address in wanted))


def _protocols(names: Iterable[str]) -> set[str]:
    wanted: set[str] = set()
    for name in names:
        if name.lower() not in _FAMILIES:
            raise ConfigError(f"inet_protocols: {name}", f"one of {', '.join(_FAMILIES)}")
        wanted.update(_FAMILIES[name.lower()])
    return wanted


def _interfaces(settings: Any, resolve: Callable[[str], Iterable[Any]], service: Service) -> list[str]:
    names = settings.inet_interfaces
    if "all" in names:
        return ["0.0.0.0", "::"]
    if "loopback-only" in names:
        return ["127.0.0.1", "::1"]
    return _resolve(names, resolve, service)


def _resolve(names: Iterable[str], resolve: Callable[[str], Iterable[Any]], service: Service) -> list[str]:
    found: list[str] = []
    for name in names:
        name = name.removeprefix("[").removesuffix("]")
        try:
            addresses = [ipaddress.ip_address(name)]
        except ValueError:
            addresses = list(resolve(name))
        if not addresses:
            raise ConfigError(
                f"host not found: {name}", "an address of this machine", file=service.file, line=service.line
            )
        found += [text for text in map(str, addresses) if text not in found]
    return found


def _family(address: str) -> str:
    return "ipv6" if ":" in address else "ipv4"
