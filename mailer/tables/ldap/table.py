"""``ldap:file`` and ``ldap:name``: lookups in a directory (ldap_table(5)).

A lookup is: key checked and folded, domain list, kept answer, search, values. Every answer of a directory that is not an
answer to the question (an error, a limit, silence) is "cannot tell now".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mailer.tables.base import FixedTable
from mailer.tables.expansion import split_at
from mailer.tables.failure import QueryError
from mailer.tables.ldap.codes import BAD_FILTER, NO_SUCH_OBJECT, SearchFailed, describe
from mailer.tables.ldap.configuration import read_configuration
from mailer.tables.ldap.directory import Directory
from mailer.tables.ldap.filters import BadFilter, FilterTemplate, quote_filter
from mailer.tables.ldap.messages import Entry, Search
from mailer.tables.ldap.names import quote_dn
from mailer.tables.ldap.results import Expander
from mailer.tables.match import StringList
from mailer.tables.parameters import Parameters
from mailer.tables.shelter import Shelter

__all__ = ["LdapTable"]


class LdapTable(FixedTable):
    """``directory`` is what it asks, shared with other tables of the process that ask the same servers the same way;
    ``shelter`` has the answers, shared with the same table of other services.

    ``observe(search, server, seconds, outcome)`` is called for each search if it is set.
    """

    type = "ldap"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        self.configuration = read_configuration(Parameters(argument, context), context.log)
        access = self.configuration.access
        self.directory: Directory = context.tables.share(("ldap", access), lambda: Directory(access, context))
        self.observe: Callable[[Search, str, float, str], None] | None = None
        configuration = self.configuration
        self._domains = (
            StringList(configuration.domains, context, f"{self.name}:domain") if configuration.domains else None
        )
        self._filter = FilterTemplate(configuration.filter)
        self._prototype = Search(
            "",
            configuration.scope,
            b"",
            configuration.roles.all,
            configuration.dereference,
            configuration.size_limit,
            configuration.time_limit,
        )
        self.shelter: Shelter = context.tables.share(
            ("ldap answers", self.name, configuration, self.options), self._shelter
        )

    def _shelter(self) -> Shelter:
        configuration, context = self.configuration, self.context
        return Shelter(
            self.name,
            self._ask,
            configuration.lifetimes,
            configuration.answers,
            configuration.limit,
            context.reactor,
            context.log,
        )

    async def lookup(self, key: str) -> str | None:
        if not key.isascii() and not self.acceptable(key):
            return None
        key = self.folded(key)
        if self._domains is not None:
            local, domain = split_at(key)
            if not local or not domain or not await self._domains.match(domain):
                return None
        return await self.shelter.find(key)

    async def _ask(self, key: str) -> str | None:
        configuration = self.configuration
        if not key:
            self.log.warning(f'table "{self.name}": empty query string -- ignored')
            return None
        search = self._search_for(key)
        if search is None or not configuration.result.fits(key):
            return None
        try:
            entries = await self._entries(search)
        except SearchFailed as error:
            if error.code == NO_SUCH_OBJECT and not configuration.base.fixed:
                return None  # a base made of the key is a question, too
            raise self._failed(error, search) from None
        if not entries:
            return None
        values = await self._expander(key).values(entries)
        return self.checked(key, ",".join(values)) if values else None

    def _search_for(self, key: str) -> Search | None:
        """None if the key lacks a part that the search needs."""
        configuration = self.configuration
        base = configuration.base.expand(key, quote=quote_dn)
        try:
            compiled = self._filter.compile(key)
        except BadFilter:
            raise self._failed(SearchFailed(BAD_FILTER), None) from None
        if base is None or compiled is None:
            return None
        whole = self._prototype
        shown = "" if self.observe is None else configuration.filter.expand(key, quote=quote_filter) or ""
        return Search(
            base,
            whole.scope,
            compiled,
            whole.attributes,
            whole.dereference,
            whole.size_limit,
            whole.time_limit,
            shown,
        )

    async def _entries(self, search: Search) -> list[Entry]:
        configuration = self.configuration
        return await self.directory.search(search, configuration.page, configuration.chase, self.observe)

    def _expander(self, key: str) -> Expander:
        configuration = self.configuration
        return Expander(
            self._entries,
            self._prototype,
            configuration.roles,
            self.name,
            key,
            configuration.recursion_limit,
            configuration.expansion_limit,
            partial(configuration.result.expand, key),
            self.context.reactor,
            self.log,
        )

    def _failed(self, error: SearchFailed, search: Search | None) -> QueryError:
        text = f"Search error {error.code}: {describe(error.code)} {error.text}".rstrip()
        if error.code == NO_SUCH_OBJECT and search is not None:
            text = f"{self.name.partition(':')[2]}: Search base '{search.base}' not found: {error}"
        self.log.warning(f"dict_ldap_lookup: {text}")
        return QueryError(f"{self.name}: {text}")
