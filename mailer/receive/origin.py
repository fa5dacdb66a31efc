"""Where mail comes from, and what follows for the steps behind reception: local_header_rewrite_clients (whether headers are
completed as local ones) and receive_override_options (see postconf(5))."""

from __future__ import annotations

from typing import Any

from mailer.config.errors import ConfigError
from mailer.interfaces.context import Context
from mailer.message.envelope import Client
from mailer.net.own_addresses import own_addresses
from mailer.tables.match import AddressList, matches_subdomains

__all__ = ["HeaderContext", "overrides"]

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

    async def of(self, client: Client, peer: str) -> str:
        """:param peer: where the connection comes from, whatever XCLIENT says. :raise TemporaryError: a table cannot tell now."""
        if peer in self._interfaces or (self._authenticated and client.sasl_username):
            return "local"
        if self._networks is not None and await self._networks.match(client.name, client.address):
            return "local"
        for table in self._maps:
            if await table.lookup(client.address) is not None:
                return "local"
        return "remote"


_OVERRIDES = frozenset(("no_unknown_recipient_checks", "no_address_mappings", "no_header_body_checks", "no_milters"))


def overrides(settings: Any) -> frozenset[str]:
    """receive_override_options: what the steps behind reception leave out. :raise ConfigError: an unknown word."""
    words = frozenset(word.lower() for word in settings.receive_override_options)
    unknown = words - _OVERRIDES
    if unknown:
        raise ConfigError(
            f"receive_override_options: unknown option {', '.join(sorted(unknown))}",
            f"of: {', '.join(sorted(_OVERRIDES))}",
        )
    return words
