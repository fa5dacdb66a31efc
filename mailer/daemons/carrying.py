"""The processes of kinds ``smtp`` and ``deliver``: they carry deliveries out that the queue manager hands over.

``smtp`` talks to SMTP and LMTP servers, DNS, proxymap. ``deliver`` talks to worker processes that master starts for single
users, to the queue manager (forwarded mail), to ``smtp`` (mailbox_transport), and to proxymap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from mailer.daemons.carriers import Carriers
from mailer.daemons.parts import Common
from mailer.daemons.place import Place, home
from mailer.daemons.reaching import QueueAccess, remote_transports
from mailer.ipc.client import Client
from mailer.ipc.delivering import RemoteTransport, TransportService
from mailer.ipc.server import CallServer
from mailer.net.sharing import adopt
from mailer.queue.content import FileContent, InlineContent
from mailer.queue.layout import Layout

__all__ = ["CarrierDaemon"]

#: Of queue ids, for forwarded mail.
_LANE = 1


class CarrierDaemon:
    """See Daemon."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._access = QueueAccess(place, _LANE)
        self._common = Common(place.plan, self._access.shared)
        plans = [
            plan for plan in place.plan.transports if home(plan.service) == place.kind and place.serves(plan.service)
        ]
        self._others: dict[str, Client] = {}
        others: dict[str, RemoteTransport] = {}
        if place.kind == "deliver":  # the only one with transports that pass recipients on, and that send mail
            others = remote_transports(place, place.peers, self._others)
            plans += [plan for plan in place.plan.transports if home(plan.service) == "qmgr"]
        addressing = self._common.addressing() if place.kind == "deliver" else None
        self._carriers = Carriers(self._common, plans, addressing, others, place.start_worker)
        self.broken = self._carriers.broken
        self._layout = Layout(place.directory)
        self._service = TransportService(self._carriers.transports, self._content)
        self._server = CallServer(place.reactor, self._service.verbs)
        self._ports: list[Any] = []

    @property
    def problems(self) -> list[str]:
        return list(dict.fromkeys(self._carriers.problems + self._common.problems))

    def _content(self, queue_id: str, octets: int, inline: bytes | None) -> Any:
        if inline is not None:
            return InlineContent(inline)
        return FileContent(self._layout.content_file(queue_id), octets, self._in_thread)

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        reactor = self._place.reactor
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    async def start(self) -> None:
        if self._place.kind == "deliver":
            await self._access.start()

    def listen(self) -> None:
        for name, sock in self._place.sockets.items():
            if name.startswith("private/"):
                self._ports.append(adopt(self._place.reactor, sock, self._server))

    def status(self) -> dict[str, Any]:
        return {"deliveries": self._service.under_way}

    async def drain(self, seconds: float) -> None:
        for port in self._ports:
            port.stopListening()
        await self._server.drain(seconds)
        await self._carriers.stop()
        self._common.close()
        for client in self._others.values():
            client.close()
        if self._place.kind == "deliver":
            self._access.close()

    def reload(self, plan: Any, peers: Any) -> None:
        raise NotImplementedError("a process that delivers is replaced")
