"""Put the parts of addressing together for one service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zope.interface import implementer

from mailer.addressing.listed import Listing
from mailer.addressing.lookup import AddressMap, Search
from mailer.addressing.mapping import Mapper
from mailer.addressing.resolving import AddressClasses, Resolver
from mailer.addressing.rewriting import completions
from mailer.addressing.routing import Routes
from mailer.config.errors import ConfigError
from mailer.interfaces.addressing import IAddressing
from mailer.message.delivery import Destination

__all__ = ["Addressing", "build", "build_mapper"]

_MALFORMED = "5.1.3 bad address syntax"


@implementer(IAddressing)
class Addressing:
    """One service's view of addresses; see IAddressing."""

    def __init__(self, context: Any) -> None:
        settings, tables = context.settings, context.tables
        self.context = context
        myorigin = origin(settings)
        self.completions = completions(settings, myorigin)
        self.classes = AddressClasses(context, myorigin)
        self.search = Search(settings, self.classes.has_users)
        self.mapper = Mapper(settings, tables, self.search, self.completions["local"], context.log)
        self._resolver = Resolver(settings, self.classes, self.completions["local"])
        self._routes = Routes(settings, tables, self.search)
        self._probe_routes = Routes(settings, tables, self.search, probing=True)
        self._moved = AddressMap(settings.relocated_maps, tables, self.search, "relocated_maps")
        self._listing = Listing(settings, tables, self.search)

    async def rewrite(self, address: str, context: str) -> str:
        return self.completions[context].rewrite(address)

    async def resolve(self, sender: str, recipient: str) -> Destination:
        return await self._resolve(sender, recipient, self._routes)

    async def resolve_probe(self, sender: str, recipient: str) -> Destination:
        return await self._resolve(sender, recipient, self._probe_routes)

    async def _resolve(self, sender: str, recipient: str, routes: Routes) -> Destination:
        resolved = await self._resolver.resolve(recipient)
        address, domain, address_class = resolved.address, resolved.domain, resolved.address_class
        if resolved.malformed:
            return Destination("error", _MALFORMED, address, address_class, resolved.routed, True)
        transport, nexthop = await routes.find(sender, address, domain, address_class)
        if self._moved and (place := await self._moved.find(address)) is not None:
            transport, nexthop = "error", f"5.1.6 User has moved to {place}"
        return Destination(transport, nexthop, address, address_class, resolved.routed)

    async def address_class(self, domain: str) -> str:
        return "local" if await self.classes.is_local(domain) else await self.classes.of_remote(domain)

    async def recipient_exists(self, recipient: str) -> Any:
        return await self._listing.recipient(recipient, await self.resolve("", recipient))

    async def sender_exists(self, sender: str) -> Any:
        return await self._listing.sender(sender, await self.resolve("", sender))

    async def expand(self, recipient: str) -> list[str]:
        return await self.mapper.virtual(recipient)


def origin(settings: Any) -> str:
    """The value of myorigin, which may name a file whose first line holds it."""
    value = str(settings.myorigin)
    if not value.startswith("/"):
        return value
    try:
        lines = Path(value).read_text().splitlines()
    except OSError as error:
        raise ConfigError(f"myorigin: cannot read {value}: {error.strerror}") from None
    if not lines or not lines[0].strip():
        raise ConfigError(f"myorigin: {value} has an empty first line")
    return lines[0].strip()


def build(context: Any) -> Addressing:
    """:param context: mailer.interfaces.context.Context with ``settings``, ``tables`` and ``log``."""
    return Addressing(context)


def build_mapper(context: Any) -> Mapper:
    """The address tables alone, for who neither resolves nor lists (smtp_generic_maps). :param context: as `build`'s."""
    settings, tables = context.settings, context.tables
    myorigin = origin(settings)
    search = Search(settings, AddressClasses(context, myorigin).has_users)
    return Mapper(settings, tables, search, completions(settings, myorigin)["local"], context.log)
