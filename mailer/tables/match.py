"""Match lists: mydestination, mynetworks, relay_domains, debug_peer_list, authorized_mailq_users ... (postconf(5)).

A list is searched in order until a pattern matches; with ``!`` in front that means "not in the list". Patterns are names,
network blocks, ``type:table`` (any result counts), ``/file`` (its lines are patterns). What cannot be known or makes no
sense, such as a block with host bits set, is an error only if the search gets that far: TemporaryError, and a warning.

Patterns of one kind that stand side by side are worked out to sets, so a search costs a few set lookups however long the
list is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mailer.message.status import TemporaryError
from mailer.tables.matching import Block, FileEntry, TableEntry, Wrong, parse_entries
from mailer.tables.search import parent_keys
from mailer.tables.text import fold

__all__ = ["AddressList", "DomainList", "StringList", "matches_subdomains"]


def matches_subdomains(settings: Any, name: str) -> bool:
    """Whether a parameter's domains match their subdomains without a dot in front."""
    return name in settings.parent_domain_matches_subdomains


class _MatchList:
    """A compiled list.

    :param specs: a LIST setting's members. :param title: the parameter's name, for the log.
    :param context: ``tables`` opens tables, ``log`` takes warnings, ``reactor`` tells when to look at files again.
    :param parents: whether ``example.com`` matches its subdomains (parent_domain_matches_subdomains).
    :raise ConfigError: ``!`` without a pattern, a table that is not ``type:name``.
    """

    #: Whether patterns are domain names, and whether they are addresses.
    domains = False
    addresses = False

    def __init__(self, specs: Sequence[str], context: Any, title: str, parents: bool = False) -> None:
        self.title = title
        self.parents = parents
        self._log = context.log
        self._entries = parse_entries(specs, context, title, self)
        #: What is wrong with patterns, for the report at start.
        self.problems = [f"{title}: {entry.text}" for entry in self._entries if isinstance(entry, Wrong)]

    def __bool__(self) -> bool:
        return bool(self._entries)

    async def _match(self, name: str, address: str) -> bool:
        return bool(await self._search(self._entries, name, address))

    async def _search(self, entries: list[Any], name: str, address: str) -> bool | None:
        """What the first pattern that matches says; None when none does."""
        for entry in entries:
            if isinstance(entry, Block):
                if entry.match(name, address):
                    return not entry.negated
            elif isinstance(entry, TableEntry):
                if await self._in_table(entry, name, address):
                    return not entry.negated
            elif isinstance(entry, Wrong):
                if address and entry.concerns(address):
                    raise self._failed(entry.text)
            else:
                found = await self._search(self._lines(entry), name, address)
                if found is not None:
                    return found
        return None

    def _lines(self, entry: FileEntry) -> list[Any]:
        try:
            return entry.current()
        except TemporaryError as error:
            raise self._failed(error.cause) from error

    async def _in_table(self, entry: TableEntry, name: str, address: str) -> bool:
        try:
            if name and await self._name_in_table(entry.table, name):
                return True
            return bool(address) and await entry.table.lookup(address) is not None
        except TemporaryError as error:
            raise self._failed(f"{entry.table.name}: table lookup problem") from error

    async def _name_in_table(self, table: Any, name: str) -> bool:
        if await table.lookup(name) is not None:
            return True
        if self.domains and not table.pattern:
            for key in parent_keys(name, self.parents):
                if await table.lookup(key) is not None:
                    return True
        return False

    def _failed(self, text: str) -> TemporaryError:
        self._log.warning(f"{self.title}: {text}")
        return TemporaryError(f"{self.title}: {text}")


class StringList(_MatchList):
    """Names that are compared as a whole, without case: authorized_mailq_users, smtpd_sasl_mechanism_filter ..."""

    async def match(self, name: str) -> bool:
        """:raise TemporaryError: a table cannot tell."""
        return await self._match(fold(name), "")


class DomainList(_MatchList):
    """Domain names: mydestination, relay_domains, virtual_alias_domains ..."""

    domains = True

    async def match(self, domain: str) -> bool:
        """:raise TemporaryError: a table cannot tell."""
        return await self._match(fold(domain), "")


class AddressList(_MatchList):
    """Hosts by name and address: mynetworks, debug_peer_list, smtpd_authorized_xclient_hosts ..."""

    domains = True
    addresses = True

    async def match(self, name: str, address: str) -> bool:
        """:param name: the host's name, or "" to compare addresses only. :param address: without brackets.
        :raise TemporaryError: a table cannot tell, or the search met a pattern that makes no sense."""
        return await self._match(fold(name), address.lower())
