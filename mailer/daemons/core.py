"""The one place that an instance's mail is in: the queue with its scheduler, local submission, and what counts for all.

The same in a process of its own and where one process does everything. Order of the start: the queue, then its parts, then
the scheduler, then whatever brings in mail.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.task import LoopingCall

from mailer.daemons.local import LocalSockets
from mailer.daemons.pickup import build_pickup, returning
from mailer.daemons.qmgr import QmgrParts
from mailer.interfaces.context import Context
from mailer.log.maillog import MailLog
from mailer.queue.store import SqliteQueue
from mailer.receive.anvil import Anvil
from mailer.receive.pickup import Pickup, received_locally
from mailer.report.verification.verifier import Verifier
from mailer.schedule.qmgr import Qmgr, TransportEntry

__all__ = ["QueueCore"]


class QueueCore:
    """``queue``, ``anvil`` and ``verifier`` are there from the start, ``qmgr`` when it has been started.

    :param local: the sockets of tools. :param lanes: see QueueIds.
    :param directory: the queue directory as this process sees it, "": as settings say.
    """

    def __init__(
        self,
        settings: Any,
        reactor: Any,
        seconds: Callable[[], float],
        log: MailLog,
        local: LocalSockets,
        directory: str = "",
        lanes: int = 1,
    ) -> None:
        self._reactor = reactor
        self._seconds = seconds
        self._local = local
        context = Context(
            settings, reactor, seconds, log.service("qmgr", settings.syslog_name), "qmgr", directory=directory
        )
        self.queue = SqliteQueue.for_context(context, lanes=lanes)
        self.anvil = Anvil(
            reactor.seconds,
            settings.anvil_rate_time_unit,
            settings.smtpd_client_ipv4_prefix_length,
            settings.smtpd_client_ipv6_prefix_length,
            seconds,
        )
        self._anvil_log = log.service("anvil", settings.syslog_name)
        self._anvil_loop = LoopingCall(self._tell_peaks)
        self._anvil_loop.clock = reactor
        self._anvil_every: float = settings.anvil_status_update_time
        self.verifier = Verifier()
        self.qmgr: Qmgr | None = None
        self._pickup: Pickup | None = None
        self._pickup_loop: LoopingCall | None = None

    async def flush(self, domain: str) -> None:
        """Try what waits for a domain now (ETRN)."""
        if self.qmgr is not None:
            await self.qmgr.flush(domain=domain)

    async def open(self) -> None:
        """The queue, before any part is made that might send mail. :raise ConfigError: :raise OSError:"""
        await self.queue.start()
        self._anvil_loop.start(self._anvil_every, now=False)

    def _tell_peaks(self) -> None:
        for line in self.anvil.peaks.lines():
            self._anvil_log.info(line)

    async def start(self, parts: QmgrParts, transports: Mapping[str, TransportEntry], pickup_interval: float) -> None:
        """Begin to deliver, and to take up what has been submitted locally."""
        self.verifier.renew(parts.verify_context())
        self._requeue_through(parts)
        self.qmgr = Qmgr(parts.context, self.queue, parts.addressing, transports, parts.reporter, self.verifier)
        await self.qmgr.start()
        self._pickup = build_pickup(parts.pickup_context(), parts.reporter)
        self._local.serve(self._reactor, self.queue, self._pickup.poke)
        self._pickup_loop = LoopingCall(self._pickup.poke)
        self._pickup_loop.clock = self._reactor
        self._pickup_loop.start(pickup_interval)

    def reload(self, parts: QmgrParts, transports: Mapping[str, TransportEntry], pickup_interval: float) -> None:
        """Go on with the parts of a new configuration."""
        loop = self._pickup_loop
        if loop is not None and loop.running and loop.interval != pickup_interval:
            loop.stop()
            loop.start(pickup_interval)
        self.verifier.renew(parts.verify_context())
        self._requeue_through(parts)
        context = parts.pickup_context()
        if self._pickup is not None:
            self._pickup.renew(context, returning(context, parts.reporter))
        if self.qmgr is not None:
            self.qmgr.reconfigure(parts.context, parts.addressing, transports, parts.reporter)

    def _requeue_through(self, parts: QmgrParts) -> None:
        """Requeued mail passes through cleaning as local mail does (postsuper -r)."""
        context = parts.pickup_context()
        settings, seconds = context.settings, self._seconds

        def received(queue_id: str) -> bytes:
            return received_locally(settings.myhostname, settings.mail_name, os.getuid(), queue_id, seconds())

        self.queue.requeue_through(context.sink, received)

    def take_nothing_locally(self) -> None:
        """Local submissions wait for the next start from now on."""
        if self._pickup_loop is not None and self._pickup_loop.running:
            self._pickup_loop.stop()
        self._local.close()

    async def stop_delivering(self, seconds: float) -> None:
        """Start no more deliveries, and wait for those under way."""
        if self.qmgr is not None:
            await self.qmgr.stop(seconds)

    async def close(self) -> None:
        """Write what the queue has been told, and close it."""
        if self._anvil_loop.running:
            self._anvil_loop.stop()
            self._tell_peaks()
        await self.queue.stop()
        self.verifier.close()
