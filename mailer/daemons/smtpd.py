"""smtpd(8): the SMTP server with all that decides about a message before it is queued: access, addressing, cleaning.

Talks to SMTP clients, DNS, policy servers and the queue manager. Never touches a mailbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mailer.access.service import Access
from mailer.addressing.service import Addressing
from mailer.config.errors import ConfigError
from mailer.daemons.parts import Common
from mailer.daemons.screen import ScreenParts
from mailer.receive.smtpd import SmtpdFactory
from mailer.tables.match import AddressList, matches_subdomains

if TYPE_CHECKING:
    from mailer.master.plan import Listener

__all__ = ["SmtpdParts"]


class SmtpdParts:
    """``factories`` has what serves each listener.

    :param spare: a listener whose settings are wrong is left out, with its reason in ``broken`` (by ``NAME/TYPE``).
    :param share: how many processes share the clients of these listeners.
    :raise ConfigError: a setting that a part depends on is wrong, and it is not to be left out.
    """

    def __init__(self, common: Common, listeners: Iterable[Listener], spare: bool = False, share: int = 1) -> None:
        self._common = common
        self._share = share
        self._access: list[Access] = []
        self._screens = ScreenParts(common)
        self.factories: dict[Listener, Any] = {}
        self.broken: dict[str, str] = {}
        for listener in listeners:
            try:
                self.factories[listener] = self._factory(listener)
            except ConfigError as error:
                if not spare:
                    raise
                self.broken[f"{listener.service.name}/{listener.service.type}"] = str(error)

    def _factory(self, listener: Listener) -> Any:
        if listener.behind is None:
            return self._smtpd(listener)
        return self._screens.before(listener, self._smtpd(listener.behind))

    def _smtpd(self, listener: Listener) -> SmtpdFactory:
        service, settings = listener.service, listener.settings
        common, shared = self._common, self._common.shared
        context = common.context(service.name, "smtpd", settings)
        addressing = Addressing(context)
        try:
            networks = AddressList(
                settings.mynetworks, context, "mynetworks", matches_subdomains(settings, "mynetworks")
            )
            access = Access(context, addressing, networks, verifier=shared.verifier)
            self._access.append(access)
            sink = common.sink(settings.cleanup_service_name)
            most = settings.default_process_limit if service.maxproc is None else service.maxproc
            limit = -(-most // self._share)
            return SmtpdFactory(context, access, addressing, sink, shared.anvil, shared.flush, shared.sweep, limit)
        except ConfigError as error:
            raise error.at(service.file, service.line) from error

    @property
    def problems(self) -> list[str]:
        """What is wrong with restriction lists; they refuse for now."""
        return [problem for access in self._access for problem in access.problems]

    def close(self) -> None:
        self._screens.close()
        for access in self._access:
            access.close()
        for factory in self.factories.values():
            factory.close()
