"""The delivery agents of master.cf that a process carries out itself: smtp(8), lmtp(8), local(8), virtual(8), pipe(8) ..."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mailer.config.errors import ConfigError
from mailer.daemons.parts import Common, program
from mailer.deliver.guarded import guarded_transport
from mailer.interfaces.transport import ITransportFactory
from mailer.plugins.guard import ours
from mailer.plugins.registry import installed

if TYPE_CHECKING:
    from mailer.master.plan import TransportPlan

__all__ = ["Carriers"]


class Carriers:
    """``transports`` has an ITransport for each service name; ``broken`` says of services (``NAME/TYPE``) why they cannot
    work.

    :param addressing: IAddressing, for those that look up further addresses; None: there are none among them, nor any
        that sends mail on.
    :param elsewhere: transports of other processes, for those of ours that pass recipients on.
    :param start_worker: see Context.
    """

    def __init__(
        self,
        common: Common,
        plans: Iterable[TransportPlan],
        addressing: Any,
        elsewhere: Mapping[str, Any] | None = None,
        start_worker: Any = None,
    ) -> None:
        self._common = common
        self._start_worker = start_worker
        self._addressing = addressing
        self.broken: dict[str, str] = {}
        self.transports: dict[str, Any] = {}
        #: For transports that pass recipients on to others: filled when all are there.
        self._passing: dict[str, Any] = {}
        for carrier in plans:
            self._add(carrier)
        self._passing.update(elsewhere or {})
        self._passing.update(self.transports)

    def _add(self, carrier: TransportPlan) -> None:
        """A line of master.cf that cannot work (a pipe for software that is not installed) costs its own mail a delay, as
        in Postfix, and not the whole system its start."""
        name = carrier.service.name
        try:
            self.transports[name] = self._transport(carrier)
        except ConfigError as error:
            self.broken[f"{name}/{carrier.service.type}"] = f"{error} (mail for {name} will be deferred)"

    @property
    def problems(self) -> list[str]:
        return list(self.broken.values())

    def _transport(self, carrier: TransportPlan) -> Any:
        service, settings, common = carrier.service, carrier.settings, self._common
        command = program(service)
        context = common.context(
            service.name,
            command,
            settings,
            sink=common.sink(settings.cleanup_service_name) if self._addressing is not None else None,
            addressing=self._addressing,
            transports=self._passing,
            start_worker=self._start_worker,
        )
        try:
            factory = installed(ITransportFactory, "transport").find(command)
            if ours(factory):
                return factory.build(service.arguments, context)
            return guarded_transport(factory, service.arguments, context)
        except ConfigError as error:
            raise error.at(service.file, service.line) from error

    async def stop(self) -> None:
        """Close idle connections; deliveries in progress are bounded by their own time limits."""
        for transport in self.transports.values():
            await transport.stop()
