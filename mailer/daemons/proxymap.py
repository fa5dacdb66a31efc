"""proxymap(8): reads lookup tables for daemons that cannot, or that should not hold the passwords.

Talks to the databases that its tables name. Answers for tables that main.cf or master.cf name, and no others: those behind
``proxy:`` as far as proxy_read_maps has them, those whose definitions hold passwords, and files for daemons in a chroot.
They are opened while the process may still read what is root's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mailer.config.errors import ConfigError
from mailer.daemons.place import Place, home
from mailer.daemons.proxied import FILES, WITH_PASSWORDS
from mailer.interfaces.context import Context
from mailer.interfaces.table import TableOptions
from mailer.ipc.lookups import LookupService
from mailer.ipc.server import CallServer
from mailer.message.status import TemporaryError
from mailer.net.sharing import adopt
from mailer.tables.commons import Commons
from mailer.tables.opening import Tables
from mailer.tables.spec import named

if TYPE_CHECKING:
    from mailer.master.plan import Plan

__all__ = ["ProxymapDaemon", "named_tables"]

#: Parameters that name what a daemon writes for itself.
_CACHES = ("_cache_database", "_cache_map", "address_verify_map")


class ProxymapDaemon:
    """See Daemon."""

    def __init__(self, place: Place) -> None:
        self._place = place
        settings = place.plan.configuration.settings
        self._log = place.log.service("proxymap", settings.syslog_name)
        self._context = Context(
            settings, place.reactor, place.seconds, self._log, "proxymap", place.dns, directory=place.directory
        )
        self._tables: dict[TableOptions, Tables] = {}
        self._commons = Commons()
        self._approved, early = approved(place.plan)
        self.broken: dict[str, str] = {}
        options = TableOptions(utf8=settings.smtputf8_enable)
        for spec in early:
            self._opened(spec, options)
            self._opened(spec, replace(options, secure=True))
        self._server = CallServer(place.reactor, LookupService(self._open).verbs)
        self._port: Any = None

    @property
    def problems(self) -> list[str]:
        return list(dict.fromkeys(problem for tables in self._tables.values() for problem in tables.problems))

    def _opened(self, spec: str, options: TableOptions) -> Any:
        tables = self._tables.get(options)
        if tables is None:
            tables = self._tables[options] = Tables(self._context, options, commons=self._commons)
        return tables.open(spec)

    def _open(self, spec: str, options: TableOptions) -> Any:
        if spec not in self._approved:
            self._log.warning(f'request for unapproved table: "{spec[:100]}"')
            self._log.warning(
                f"to approve this table for read-only access, list proxy:{spec[:100]} in main.cf:proxy_read_maps"
            )
            raise TemporaryError(f"proxymap service is not configured for table {spec[:100]}")
        try:
            return self._opened(spec, options)
        except ConfigError as error:
            raise TemporaryError(str(error)) from error

    async def start(self) -> None:
        """There is nothing to begin."""

    def listen(self) -> None:
        self._port = adopt(self._place.reactor, self._place.sockets["private/proxymap"], self._server)

    def status(self) -> dict[str, Any]:
        return {"callers": len(self._server.callers)}

    async def drain(self, seconds: float) -> None:
        if self._port is not None:
            self._port.stopListening()
        await self._server.drain(seconds)
        for tables in self._tables.values():
            tables.close()
        self._commons.close()

    def reload(self, plan: Any, peers: Any) -> None:
        raise NotImplementedError("a proxymap is replaced")


def approved(plan: Plan) -> tuple[set[str], list[str]]:
    """The tables that may be asked for, as ``type:name``, and those of them that are to be opened at once."""
    main = plan.configuration.settings
    listed = {spec for proxied, spec in named(main.text("proxy_read_maps")) if proxied}
    chrooted = any(listener.service.chroot for listener in plan.listeners) or any(
        carrier.service.chroot for carrier in plan.transports if home(carrier.service) == "smtp"
    )
    allowed: set[str] = set()
    early: dict[str, None] = {}
    for proxied, spec in named_tables(plan):
        type = spec.partition(":")[0]
        if proxied and spec in listed or type in WITH_PASSWORDS or (chrooted and type in FILES):
            allowed.add(spec)
            early[spec] = None
    return allowed, list(early)


def named_tables(plan: Plan) -> Iterator[tuple[bool, str]]:
    """Whatever looks like a table in main.cf and in the ``-o`` settings of master.cf: whether ``proxy:`` stands before it,
    and ``type:name``."""
    for settings in _all_settings(plan):
        names = {entry.name for entry in settings.explicit()} | {"local_recipient_maps", "alias_maps"}
        for name in sorted(names):
            if name.endswith(_CACHES):
                continue
            try:
                text = settings.text(name)
            except (ConfigError, KeyError):
                continue  # told by the checks at start, or never used
            yield from named(text)


def _all_settings(plan: Plan) -> Iterable[Any]:
    yield plan.configuration.settings
    for listener in plan.listeners:
        yield listener.settings
    for carrier in plan.transports:
        yield carrier.settings
    for services in plan.inner.values():
        yield from services.values()
