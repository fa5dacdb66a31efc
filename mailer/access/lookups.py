"""Access tables: what they say of a host name, an address, a mail address (access(5), search order).

The answer comes with its key. A table that cannot tell has told the log so; the request is then refused for now.
"""

from __future__ import annotations

from typing import Any

from mailer.access.addresses import resolved
from mailer.access.evaluation import Evaluation
from mailer.access.restriction import Environment
from mailer.message.status import TemporaryError
from mailer.tables.match import matches_subdomains
from mailer.tables.search import Found, find_domain, find_host_address, find_mail_access

__all__ = ["AccessTable"]

_FAILED = "451 4.3.5 Server configuration error"


class AccessTable:
    """One table of a ``check_..._access`` restriction.

    :param spec: ``type:name`` as main.cf has it, the name that warnings mention.
    """

    def __init__(self, environment: Environment, spec: str) -> None:
        settings = environment.settings
        self.spec = spec
        self._environment = environment
        self._table = environment.context.tables.maps((spec,), spec)
        self._plain_parents = matches_subdomains(settings, "smtpd_access_maps")
        self._delimiters = settings.recipient_delimiter
        self._special = settings.owner_request_special
        self._null_key = settings.smtpd_null_access_lookup_key

    async def key(self, key: str) -> Found | None:
        """A key as it stands."""
        try:
            value = await self._table.lookup(key)
        except TemporaryError:
            return Found(_FAILED, "", key)
        return None if value is None else Found(value, "", key)

    async def domain(self, name: str) -> Found | None:
        """A host or domain name, then its parents."""
        if not name:
            return None
        try:
            return await find_domain(self._table, name, self._plain_parents)
        except TemporaryError:
            return Found(_FAILED, "", name)

    async def address(self, address: str) -> Found | None:
        """An IP address, then the networks it belongs to."""
        try:
            return await find_host_address(self._table, address)
        except TemporaryError:
            return Found(_FAILED, "", address)

    async def host(self, name: str, address: str) -> Found | None:
        """A host's name, then its address."""
        return await self.domain(name) or await self.address(address)

    async def mail(self, state: Evaluation, address: str) -> tuple[Found | None, bool]:
        """A mail address, or the null sender.

        :return: what was found, and whether the address names a further host although it is not one of ours, so that no
            table can vouch for where it goes.
        """
        if not address:
            return await self.key(self._null_key), False
        destination = await resolved(self._environment, state, address)
        try:
            found = await find_mail_access(
                self._table, destination.recipient, self._plain_parents, self._delimiters, self._special
            )
        except TemporaryError:
            found = Found(_FAILED, "", destination.recipient)
        return found, destination.routed

    def record(self, state: Evaluation, found: Any) -> None:
        """Remember for explaining what was found."""
        state.key, state.table = found.key, self.spec
