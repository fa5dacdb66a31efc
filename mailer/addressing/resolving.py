"""What an address means to this machine: its domain after our own have been taken off, and that domain's class.

Follows trivial-rewrite(8) ("resolve") and ADDRESS_CLASS_README. Where the mail then goes is `mailer.addressing.routing`'s
business; this module only knows which domain decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mailer.addressing.domains import literal, own_addresses
from mailer.addressing.rewriting import Completion
from mailer.message.address import quote
from mailer.message.status import TemporaryError
from mailer.tables.match import DomainList, StringList, matches_subdomains

__all__ = ["AddressClasses", "Resolved", "Resolver", "is_hostname"]

_LABEL = r"(?!-)[A-Za-z0-9_\-\u0080-\U0010ffff]{1,63}(?<!-)"
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*").fullmatch
_NUMERIC = re.compile(r"[0-9.]+").fullmatch
_ROUTED = re.compile(r"[@%!]").search


def is_hostname(name: str) -> bool:
    """Whether a name may stand for a host (RFC 1123, with underscores and UTF-8; not all digits)."""
    return len(name) <= 255 and _HOSTNAME(name) is not None and not _NUMERIC(name)


@dataclass(frozen=True, slots=True)
class Resolved:
    """An address taken apart. ``domain`` is as the address has it; ``address_class`` as IAddressing names it."""

    address: str
    domain: str
    address_class: str
    routed: bool = False
    malformed: bool = False


class AddressClasses:
    """The classes of domains, in the order in which they are asked.

    :param origin: the domain that completes bare names.
    """

    def __init__(self, context: Any, origin: str) -> None:
        settings = context.settings
        self._log = context.log
        self._own = own_addresses(settings)
        self._destinations = StringList(settings.mydestination, context, "mydestination")
        self._aliases = StringList(settings.virtual_alias_domains, context, "virtual_alias_domains")
        self._mailboxes = StringList(settings.virtual_mailbox_domains, context, "virtual_mailbox_domains")
        parents = matches_subdomains(settings, "relay_domains")
        self._relays = DomainList(settings.relay_domains, context, "relay_domains", parents)
        self._origin = origin.lower()
        self._helpful = settings.helpful_warnings

    async def is_local(self, domain: str) -> bool:
        """Whether mail for the domain is ours: mydestination, inet_interfaces, proxy_interfaces."""
        if domain.startswith("[") and literal(domain) in self._own:
            return True
        return await self._destinations.match(domain)

    async def has_users(self, domain: str) -> bool:
        """Whether bare names in tables stand for addresses in this domain: those of myorigin, too."""
        return domain.lower() == self._origin or await self.is_local(domain)

    async def of_remote(self, domain: str) -> str:
        """The class of a domain that `is_local` denies."""
        if await self._aliases.match(domain):
            await self._warn_of_overlap(domain, "virtual_alias_domains", self._mailboxes, self._relays)
            return "virtual_alias"
        if await self._mailboxes.match(domain):
            await self._warn_of_overlap(domain, "virtual_mailbox_domains", self._relays)
            return "virtual_mailbox"
        return "relay" if await self._relays.match(domain) else "default"

    async def local(self, domain: str) -> str:
        """The class of a domain that `is_local` affirms."""
        await self._warn_of_overlap(domain, "mydestination", self._aliases, self._mailboxes)
        return "local"

    async def _warn_of_overlap(self, domain: str, title: str, *others: Any) -> None:
        """Say so when a domain is in further lists: they have no say then."""
        for other in others if self._helpful else ():
            try:
                listed = bool(other) and await other.match(domain)
            except TemporaryError:
                continue  # it has been logged, and the class is known in any case
            if listed:
                self._log.warning(f"do not list domain {domain} in BOTH {title} and {other.title}")


class Resolver:
    """Takes recipients apart.

    :param completion: the local rewriting rules (``user%site`` in a local part is a route as it would be an address).
    """

    def __init__(self, settings: Any, classes: AddressClasses, completion: Completion) -> None:
        self._classes = classes
        self._completion = completion
        self._hostname = settings.myhostname
        self._dequoted = settings.resolve_dequoted_address
        self._null_domain = settings.resolve_null_domain
        self._numeric_domain = settings.resolve_numeric_domain
        self._empty = settings.empty_address_recipient
        self._minus_user = settings.allow_min_user

    async def resolve(self, address: str) -> Resolved:
        """:raise TemporaryError: a table cannot tell now."""
        local, domain, is_local = await self._strip(address)
        if not local and not domain:
            local = self._empty
        if domain is None:
            domain, is_local = self._hostname, True
        whole = f"{local or self._empty if is_local else local}@{domain}"
        routed = _ROUTED(local) is not None
        minus = local.startswith("-") and not self._minus_user
        if is_local:
            return Resolved(whole, domain, await self._classes.local(domain), routed, minus)
        host = self._host(domain)
        if host is None:
            return Resolved(whole, domain, "default", routed, True)
        if host is not domain:
            whole = f"{local}@{host}"
        return Resolved(whole, host, await self._classes.of_remote(host), routed, minus)

    async def _strip(self, address: str) -> tuple[str, str | None, bool]:
        """Take our own domains off as long as something remains that names another host.

        :return: local part, domain (None: there never was one), whether the domain is ours.
        """
        local, domain = _split(address)
        saved: str | None = None
        while True:
            if domain is None:
                further = self._completion.reroute(local) if self._may_route(local) else None
                if further is None:
                    return local, saved, saved is not None
                local, domain = further[0], self._completion.complete_domain(further[1])
            if not domain:
                if not self._null_domain:
                    return local, domain, False
            elif await self._classes.is_local(domain):
                saved = domain
            else:
                return local, domain, False
            if not self._may_route(local):
                return local, saved, saved is not None
            local, domain = _split(local)
            domain = None if domain is None else self._completion.complete_domain(domain)

    def _may_route(self, local: str) -> bool:
        return self._dequoted or quote(local + "@x") == local + "@x"

    def _host(self, domain: str) -> str | None:
        """The domain as a nexthop; None when no host can have that name."""
        if domain.startswith("["):
            return domain if literal(domain) else None
        if is_hostname(domain):
            return domain
        return literal(f"[{domain}]") if self._numeric_domain else None


def _split(address: str) -> tuple[str, str | None]:
    local, at, domain = address.rpartition("@")
    return (local, _without_dot(domain)) if at else (domain, None)


def _without_dot(domain: str) -> str:
    return domain[:-1] if domain.endswith(".") and len(domain) > 1 and domain[-2] != "." else domain
