"""Transport and nexthop of a resolved address: the class's transport, relayhost, the sender's own routes, transport_maps.

Follows postconf(5) under default_transport, relay_transport, local_transport, virtual_transport and transport(5). Knows
nothing of address syntax; which class a domain belongs to is told to it.
"""

from __future__ import annotations

from typing import Any

from mailer.addressing.lookup import AddressMap, Search
from mailer.addressing.routeparameters import parameters, probe_parameters
from mailer.message.address import fold
from mailer.message.status import TemporaryError
from mailer.tables.match import matches_subdomains
from mailer.tables.search import find_transport

__all__ = ["Routes", "split_route"]

_NO_OVERRIDE = "DUNNO"


def split_route(text: str) -> tuple[str, str]:
    """``transport:nexthop`` (the nexthop may hold colons); either may be empty."""
    transport, _, nexthop = text.partition(":")
    return transport, nexthop


class Routes:
    """Where mail for an address goes, by class.

    :param probing: it is no mail but an address probe, for which the address_verify_* settings stand.
    """

    def __init__(self, settings: Any, tables: Any, search: Search, probing: bool = False) -> None:
        given = probe_parameters(settings) if probing else parameters(settings)
        self._transports = {
            "local": split_route(given.local),
            "virtual_mailbox": split_route(given.virtual),
            "relay": split_route(given.relay),
            "default": split_route(given.default),
        }
        self._relayhost = given.relayhost
        unknown = "User unknown in virtual alias table" if settings.show_user_unknown_table_name else "User unknown"
        self._unknown_alias = ("error", f"5.1.1 {unknown}")
        self._by_address = tables.maps(given.transport_maps, f"{given.prefix}transport_maps")
        self._parents = matches_subdomains(settings, "transport_maps")
        self._search = search
        self._sender_transports = AddressMap(
            given.sender_transports, tables, search, f"{given.prefix}sender_dependent_default_transport_maps"
        )
        self._sender_relayhosts = AddressMap(
            given.sender_relayhosts, tables, search, f"{given.prefix}sender_dependent_relayhost_maps"
        )
        self._null_transport_key = settings.empty_address_default_transport_maps_lookup_key
        self._null_relayhost_key = settings.empty_address_relayhost_maps_lookup_key

    async def find(self, sender: str, recipient: str, domain: str, address_class: str) -> tuple[str, str]:
        """``transport, nexthop``. :raise TemporaryError: cannot tell now, or the configuration makes no sense."""
        if address_class == "virtual_alias":
            return self._unknown_alias
        transport, nexthop = await self._of_class(sender, domain, address_class)
        if not self._by_address:
            return transport, nexthop
        search = self._search
        found = await find_transport(self._by_address, fold(recipient), self._parents, search.delimiters, search.owners)
        if found is None:
            return transport, nexthop
        mapped_transport, mapped_nexthop = split_route(found.value)
        if mapped_transport:
            return mapped_transport, mapped_nexthop or domain
        return transport, mapped_nexthop or nexthop

    async def _of_class(self, sender: str, domain: str, address_class: str) -> tuple[str, str]:
        transport, nexthop = self._transports[address_class]
        if address_class == "default" and self._sender_transports:
            found = await self._sender_transports.find(sender or self._null_transport_key)
            if found is not None and found.upper() != _NO_OVERRIDE:
                transport, nexthop = split_route(found)
                if not transport:
                    raise TemporaryError(
                        "sender_dependent_default_transport_maps: null transport is not allowed",
                        text="address resolver failure",
                    )
        if not nexthop and address_class in ("relay", "default"):
            nexthop = await self._relayhost_of(sender)
        return transport, nexthop or domain

    async def _relayhost_of(self, sender: str) -> str:
        if self._sender_relayhosts:
            found = await self._sender_relayhosts.find(sender or self._null_relayhost_key)
            if found is not None and found.upper() != _NO_OVERRIDE:
                return found
        return str(self._relayhost)
