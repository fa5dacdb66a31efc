"""Whether a client's headers are completed as local ones: local_header_rewrite_clients (see postconf(5))."""

from __future__ import annotations

from typing import Any

from mailer.config.errors import ConfigError
from mailer.interfaces.context import Context
from mailer.message.envelope import Client
from mailer.net.own_addresses import own_addresses
from mailer.tables.match import AddressList, matches_subdomains

__all__ = ["HeaderContext"]

_FOR_SESSIONS = ("permit_sasl_authenticated", "permit_tls_clientcerts", "permit_tls_all_clientcerts")


class HeaderContext:
    """Tells ``local`` or ``remote`` for a client.

    :raise ConfigError: a member of local_header_rewrite_clients is unknown.
    """

    def __init__(self, context: Context) -> None:
        settings = context.settings
        self._interfaces: frozenset[str] = frozenset()
        self._networks: Any = None
        self._maps: list[Any] = []
        self._authenticated = False
        words = iter(settings.local_header_rewrite_clients)
        for word in words:
            if word == "permit_inet_interfaces":
                self._interfaces = frozenset(own_addresses(settings.inet_interfaces, settings.inet_protocols))
            elif word == "permit_mynetworks":
                self._networks = AddressList(
                    settings.mynetworks, context, "mynetworks", matches_subdomains(settings, "mynetworks")
                )
            elif word == "check_address_map":
                self._maps.append(context.tables.open(next(words, "")))
            elif ":" in word:
                self._maps.append(context.tables.open(word))
            elif word in _FOR_SESSIONS:
                self._authenticated |= word == "permit_sasl_authenticated"
            else:
                raise ConfigError(f"local_header_rewrite_clients: unknown restriction: {word}")

    async def of(self, client: Client) -> str:
        """:raise TemporaryError: a table cannot tell now."""
        if client.address in self._interfaces or (self._authenticated and client.sasl_username):
            return "local"
        if self._networks is not None and await self._networks.match(client.name, client.address):
            return "local"
        for table in self._maps:
            if await table.lookup(client.address) is not None:
                return "local"
        return "remote"
