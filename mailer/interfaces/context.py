"""What a part is given when it is built: its settings, its clock, its log, and the other parts that it may call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Context"]


@dataclass(frozen=True)
class Context:
    """Everything that a service's parts may use; whatever the service has no business with is None.

    ``reactor`` is clock, threads and network in one (IReactorTime, IReactorThreads, IReactorTCP ...); tests pass
    ``task.Clock`` or a MemoryReactorClock. ``seconds`` is the wall clock (time.time).
    """

    settings: Any  # mailer.config.settings.Settings of this service
    reactor: Any
    seconds: Any  # () -> float, seconds since the epoch
    log: Any  # mailer.log.ServiceLog of this service
    name: str = ""  # the master.cf service name
    dns: Any = None  # mailer.interfaces.resolver.IResolver
    tables: Any = None  # mailer.interfaces.table.ITables
    sink: Any = None  # mailer.interfaces.sink.IMessageSink for mail that this part sends
    addressing: Any = None  # mailer.interfaces.addressing.IAddressing
    transports: Any = None  # ITransport by master.cf service name, for those that pass recipients on; filled after them
    start_worker: Any = (
        None  # starts worker processes for deliveries, see deliver.hands; None: this process does it itself
    )
    connections: Any = None  # endpoint factory used for outgoing connections; None: the reactor's own
    directory: str = ""  # the queue directory as this process sees it; "": as the settings say

    @property
    def queue_directory(self) -> str:
        """Where relative paths (of sockets, of the queue's files) begin, inside a chroot or not."""
        return self.directory or self.settings.queue_directory
