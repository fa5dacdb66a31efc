"""The process of kind ``qmgr``: the queue, its scheduler, reports, local submission, and counting for all.

Talks to smtpd (which hands it messages), to the processes that deliver, to local tools, to proxymap. Owns the queue's files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from mailer.daemons.carriers import Carriers
from mailer.daemons.core import QueueCore
from mailer.daemons.local import LocalSockets
from mailer.daemons.parts import Common, Shared
from mailer.daemons.place import Place, home
from mailer.daemons.qmgr import QmgrParts
from mailer.daemons.reaching import elsewhere, remote_transports
from mailer.ipc.client import Client
from mailer.ipc.counting import AnvilService
from mailer.ipc.delivering import RemoteTransport
from mailer.ipc.flushing import FlushService
from mailer.ipc.server import CallServer
from mailer.ipc.verifying import VerifyService
from mailer.message.queueid import LANES
from mailer.net.sharing import adopt
from mailer.queue.remote import QueueService

if TYPE_CHECKING:
    from mailer.master.plan import Plan

__all__ = ["QmgrDaemon"]

_fault = Logger()

#: How long the parts of an old configuration are kept for deliveries that began with them.
_RETIRE_SECONDS = 600.0
#: How old a log line is when it is written: smtpd has written by then what it did with the same message.
_LOG_SECONDS = 0.15
#: Seconds that the last answers are given to leave.
_LINGER = 0.1


class _Parts:
    """All of one configuration."""

    def __init__(self, plan: Plan, shared: Shared, remote: dict[str, Any]) -> None:
        self.common = Common(plan, shared)
        self.qmgr = QmgrParts(self.common)
        here = [carrier for carrier in plan.transports if home(carrier.service) == "qmgr"]
        self.carriers = Carriers(self.common, here, self.qmgr.addressing, remote)
        self.transports = self.qmgr.entries(plan.transports, {**remote, **self.carriers.transports})

    @property
    def problems(self) -> list[str]:
        return list(dict.fromkeys(self.carriers.problems + self.common.problems))

    async def stop(self) -> None:
        await self.carriers.stop()
        self.common.close()


class QmgrDaemon:
    """See Daemon."""

    def __init__(self, place: Place) -> None:
        self._place = place
        place.log.hold_back(_LOG_SECONDS)
        reactor, settings = place.reactor, place.plan.configuration.settings
        self._core = core = QueueCore(
            settings, reactor, place.seconds, place.log, LocalSockets(place.sockets), place.directory, LANES
        )
        self._proxied = elsewhere(place)
        self._shared = Shared(
            reactor,
            place.seconds,
            place.log,
            place.dns,
            core.queue,
            core.anvil,
            None,
            core.flush,
            core.verifier,
            elsewhere=self._proxied,
            directory=place.directory,
        )
        self._clients: dict[str, Client] = {}
        self._remote = self._transports(place.peers)
        self._parts = _Parts(place.plan, self._shared, self._remote)
        verbs = {
            **QueueService(core.queue).verbs,
            **AnvilService(core.anvil).verbs,
            **FlushService(core.flush).verbs,
            **VerifyService(core.verifier).verbs,
        }
        self._server = CallServer(reactor, verbs)
        self._port: Any = None
        self.broken: dict[str, str] = {}

    def _transports(self, peers: Mapping[str, tuple[str, ...]]) -> dict[str, RemoteTransport]:
        return remote_transports(self._place, peers, self._clients)

    @property
    def problems(self) -> list[str]:
        return self._parts.problems

    async def start(self) -> None:
        await self._core.open()
        await self._core.start(self._parts.qmgr, self._parts.transports, self._place.plan.pickup_interval)

    def listen(self) -> None:
        sock = self._place.sockets["private/qmgr"]
        self._port = adopt(self._place.reactor, sock, self._server)

    def status(self) -> dict[str, Any]:
        qmgr = self._core.qmgr
        return {
            "deliveries": sum(client.outstanding for client in self._clients.values()),
            "active": qmgr.status().messages if qmgr is not None else 0,
        }

    def reload(self, plan: Plan, peers: Mapping[str, tuple[str, ...]]) -> None:
        remote = self._transports(peers)
        parts = _Parts(plan, self._shared, remote)
        old, self._parts, self._remote = self._parts, parts, remote
        self._core.reload(parts.qmgr, parts.transports, plan.pickup_interval)
        Deferred.fromCoroutine(self._retire(old)).addErrback(
            lambda failure: _fault.failure("giving back a configuration's parts", failure)
        )

    async def _retire(self, parts: _Parts) -> None:
        await deferLater(self._place.reactor, _RETIRE_SECONDS, lambda: None)
        await parts.stop()

    async def drain(self, seconds: float) -> None:
        """Messages that others have handed over are answered; what they hand over later waits for the next start."""
        if self._port is not None:
            self._port.stopListening()
        self._core.take_nothing_locally()
        await self._core.stop_delivering(seconds)
        await self._core.close()
        await deferLater(self._place.reactor, _LINGER, lambda: None)
        self._server.close()
        await self._parts.stop()
        for client in self._clients.values():
            client.close()
        self._proxied.close()
