"""How the daemons of one instance reach each other: who is called where, and what of it looks like a part of one's own."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from mailer.daemons.parts import Shared
from mailer.daemons.place import Place
from mailer.daemons.proxied import Proxied
from mailer.interfaces.context import Context
from mailer.ipc.client import Client
from mailer.ipc.counting import RemoteAnvil
from mailer.ipc.delivering import Fleet, RemoteTransport
from mailer.ipc.flushing import RemoteFlush
from mailer.ipc.verifying import RemoteVerifier
from mailer.message.queueid import LANES
from mailer.net.sweep import Sweep
from mailer.queue.database import thread_pool
from mailer.queue.disk import Disk
from mailer.queue.layout import Layout
from mailer.queue.remote import RemoteQueue
from mailer.queue.space import Space
from mailer.queue.spool import Spool

__all__ = ["QueueAccess", "elsewhere", "remote_transports"]


def elsewhere(place: Place) -> Proxied:
    """Which tables are asked of proxymap."""
    return Proxied(Client(place.reactor, place.path("proxymap"), "proxymap"), place.chrooted)


def remote_transports(
    place: Place, peers: Mapping[str, tuple[str, ...]], clients: dict[str, Client]
) -> dict[str, RemoteTransport]:
    """The transports of other processes, by service name.

    :param clients: connections by name of the socket; those that are missing are added.
    """
    fleets: dict[tuple[str, ...], Fleet] = {}
    found: dict[str, RemoteTransport] = {}
    for name, sockets in peers.items():
        fleet = fleets.get(sockets)
        if fleet is None:
            for socket in sockets:
                clients.setdefault(socket, Client(place.reactor, place.path(socket), socket))
            fleet = fleets[sockets] = Fleet([clients[socket] for socket in sockets])
        found[name] = RemoteTransport(fleet, name)
    return found


class QueueAccess:
    """The queue manager as other daemons have it: a sink for messages, counters, ETRN. ``shared`` is for their parts."""

    def __init__(self, place: Place, lane: int) -> None:
        settings = place.plan.configuration.settings
        self._layout = Layout(place.directory)
        self._disk = Disk()
        self.client = Client(place.reactor, place.path("qmgr"), "the queue manager")
        self._spool = Spool(self._layout, place.reactor, thread_pool("mailer-queue-write"), self._disk)
        self.context = Context(
            settings, place.reactor, place.seconds, place.log.service(place.kind, settings.syslog_name), place.kind
        )
        self._space = Space(
            self._measure, time.monotonic, self.context.log, settings.queue_minfree, settings.message_size_limit
        )
        callers = max(os.cpu_count() or 1, settings.mailer_smtpd_processes)
        if settings.smtpd_client_ipv4_prefix_length < 32:
            callers = 0  # clients are whole networks, which only the counter knows
        queue = RemoteQueue(
            self.client, self._spool, self._space, place.seconds, lane % LANES, settings.enable_long_queue_ids
        )
        self._proxied = elsewhere(place)
        self.shared = Shared(
            place.reactor,
            place.seconds,
            place.log,
            place.dns,
            queue,
            RemoteAnvil(self.client, callers),
            Sweep(place.reactor),
            RemoteFlush(self.client),
            RemoteVerifier(self.client),
            elsewhere=self._proxied,
            directory=place.directory,
        )

    def _measure(self) -> Deferred[int]:
        pool: Any = self._spool.pool
        return deferToThreadPool(self._spool.reactor, pool, self._disk.free, self._layout.root)

    async def start(self) -> None:
        """Threads and connections."""
        self._spool.pool.start()
        await self._space.refresh()
        self.client.start()

    def close(self) -> None:
        """Let go of everything."""
        self.client.close()
        self._proxied.close()
        self._spool.pool.stop()
