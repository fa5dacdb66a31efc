"""Where a daemon process finds itself, and what it is to its parent: the two sides of `kinds.build`."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mailer.config.mastercf import Service
from mailer.log.maillog import MailLog

if TYPE_CHECKING:
    from mailer.master.plan import Plan

__all__ = ["Daemon", "Place", "home", "private"]

#: Transports by the kind of process that carries them out; others, such as plug-ins, are carried out by ``deliver``.
_HOMES = {"smtp": "smtp", "lmtp": "smtp", "error": "qmgr", "discard": "qmgr"}


def home(service: Service) -> str:
    """The kind of process that carries a transport of master.cf out."""
    return _HOMES.get(service.command.rpartition("/")[2], "deliver")


def private(name: str) -> str:
    """Where a daemon listens for others, below the queue directory."""
    return f"mailer/private/{name}"


@dataclass(frozen=True)
class Place:
    """One process of the processes layout.

    ``kind`` is smtpd, qmgr, smtp, deliver or proxymap; ``index`` counts within the kind. ``services`` names the lines of
    master.cf that it is for, as ``NAME/TYPE``; None: all of the kind. ``peers`` has, for each transport that has processes
    of its own, by service name, the names of their sockets (``smtp.0``). ``directory`` is the queue directory as the
    process sees it when it runs ("." in a process whose working directory it is, inside a chroot or not). ``sockets`` are
    those that it serves, listening, by their names: ``private/qmgr``, ``public/showq``, ``ADDRESS:PORT`` ...
    ``chrooted`` says that files outside of the queue directory cannot be read any more when the process runs.
    """

    kind: str
    index: int
    plan: Plan
    services: frozenset[str] | None
    peers: Mapping[str, tuple[str, ...]]
    reactor: Any
    seconds: Callable[[], float]
    log: MailLog
    dns: Any
    directory: str
    sockets: Mapping[str, socket.socket]
    chrooted: bool = False
    start_worker: Callable[..., Any] | None = None

    def path(self, name: str) -> str:
        """The socket of another daemon."""
        return os.path.join(self.directory, private(name))

    def serves(self, service: Service) -> bool:
        """Whether a line of master.cf is one of those that this process is for."""
        return self.services is None or f"{service.name}/{service.type}" in self.services


class Daemon(Protocol):
    """What a kind of process is made of.

    Made while the process may still read what is root's: configuration, tables, keys; no thread is started and nothing is
    awaited then. ConfigError or OSError: it cannot be. ``problems`` are warnings for the log; ``broken`` says of services
    (``NAME/TYPE``) that cannot be served why they cannot, while the others are.
    """

    problems: list[str]
    broken: dict[str, str]

    async def start(self) -> None:
        """Begin, with no more rights than the daemon has from now on. :raise ConfigError: :raise OSError:"""

    def listen(self) -> None:
        """Take connections from now on."""

    def status(self) -> dict[str, Any]:
        """What there is to count, as JSON takes it: ``sessions``, ``deliveries`` ..."""

    async def drain(self, seconds: float) -> None:
        """Take no more connections, finish what is under way, but within so many seconds; then give everything back."""

    def reload(self, plan: Plan, peers: Mapping[str, tuple[str, ...]]) -> None:
        """Go on with a new configuration (qmgr only; others are replaced by new processes). ``peers`` as in Place.

        :raise ConfigError: it is wrong, and the old one stays in force.
        """
