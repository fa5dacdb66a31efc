"""From the entries that a search found to the values of a lookup (ldap_table(5): result_attribute and its special, leaf and
terminal kin; recursion_limit, expansion_limit).

Entries that special attributes point to, by name or URL, are looked up side by side; the values come in the order in which
they stand. An entry met again on the way down from itself adds nothing, so groups may contain each other. Whether an entry
counts as terminal, or no longer as a leaf, holds for the entries behind it in the same answer, too: that is what Postfix does.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from mailer.tables.failure import QueryError
from mailer.tables.flight import Flights
from mailer.tables.ldap.codes import NO_SUCH_OBJECT, SearchFailed, describe
from mailer.tables.ldap.filters import PRESENT
from mailer.tables.ldap.messages import Entry, Search
from mailer.tables.ldap.urls import BadUrl, is_url, parse_url

__all__ = ["AttributeRoles", "Expander"]

#: Searches of one lookup under way at the same time.
_SIDE_BY_SIDE = 20
#: Levels after which the reactor gets a turn, so that deep groups do not nest calls too deep.
_LEVELS_A_TURN = 10
#: Values of one lookup, where expansion_limit sets no bound.
_MOST_VALUES = 1_000_000


@dataclass(frozen=True)
class AttributeRoles:
    """The attributes that are asked for, in that order: terminal, leaf, ordinary, special ones."""

    terminal: tuple[str, ...] = ()
    leaf: tuple[str, ...] = ()
    ordinary: tuple[str, ...] = ()
    special: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.terminal + self.leaf + self.ordinary + self.special

    def role(self, name: str) -> str:
        """``terminal``, ``leaf``, ``ordinary``, ``special`` or "" of an attribute as a server names it: the name asked for,
        perhaps with options behind it."""
        known = self._known
        name = name.lower()
        return known.get(name) or known.get(name.partition(";")[0], "")

    @cached_property
    def _known(self) -> dict[str, str]:
        known: dict[str, str] = {}
        for role in ("terminal", "leaf", "ordinary", "special"):
            for name in getattr(self, role):
                known.setdefault(name.lower(), role)
        return known


@dataclass(frozen=True, slots=True)
class _Link:
    """A name or URL among values, in whose place the values behind it go."""

    target: str


class Expander:
    """The values of one lookup.

    :param search: ``await search(Search)`` gives entries.
    :param prototype: a search whose attributes and limits hold for all.
    :param table: the table's name, for the log.
    :param depth: recursion_limit. :param most: expansion_limit, 0 for none.
    :param formatted: makes a value of an attribute's text; None: it is left out.
    """

    def __init__(
        self,
        search: Callable[[Search], Coroutine[Any, Any, list[Entry]]],
        prototype: Search,
        roles: AttributeRoles,
        table: str,
        key: str,
        depth: int,
        most: int,
        formatted: Callable[[str], str | None],
        reactor: Any,
        log: Any,
    ) -> None:
        self._search = search
        self._prototype = prototype
        self._roles = roles
        self._table = table
        self._key = key
        self._depth = depth
        self._most = most
        self._formatted = formatted
        self._reactor = reactor
        self._log = log
        self._count = 0
        self._turns = DeferredSemaphore(_SIDE_BY_SIDE)
        self._under_way: Flights[list[Entry]] = Flights()
        self._found: dict[Search, list[Entry]] = {}

    async def values(self, entries: list[Entry], level: int = 1, above: frozenset[Search] = frozenset()) -> list[str]:
        """:raise QueryError: a limit was hit. :raise SearchFailed, Away: a search failed."""
        parts: list[str | _Link] = []
        leaf, terminal = True, False
        for entry in entries:
            attributes = [(self._roles.role(name), name, values) for name, values in entry.attributes if values]
            for role, _, _ in attributes:
                if role == "special":
                    leaf = False
                elif role == "terminal":
                    terminal = True
            for role, name, values in attributes:
                if role == "terminal" or (not terminal and (role == "ordinary" or (role == "leaf" and leaf))):
                    self._add(parts, values, level)
                elif role == "special" and not terminal:
                    if level >= self._depth:
                        text = f"Recursion limit exceeded for special attribute {name}={values[0]}"
                        raise self._failed(level, text)
                    parts += [_Link(value) for value in values]
        return await self._joined(parts, level, above)

    def _add(self, parts: list[str | _Link], values: list[str], level: int) -> None:
        for value in values:
            if not value:
                self._log.warning(f'table "{self._table}": empty lookup result for: "{self._key}" -- ignored')
                continue
            text = self._formatted(value)
            if text is None:
                continue
            self._count += 1
            if 0 < self._most < self._count or self._count > _MOST_VALUES:
                raise self._failed(level, f"Expansion limit exceeded for key: '{self._key}'")
            parts.append(text)

    def _failed(self, level: int, text: str) -> QueryError:
        self._log.warning(f"dict_ldap_get_values[{level}]: {self._table.partition(':')[2]}: {text}")
        return QueryError(f"{self._table}: {text}")

    async def _joined(self, parts: list[str | _Link], level: int, above: frozenset[Search]) -> list[str]:
        """All values in their order; the first failure ends what is still under way."""
        links = [part for part in parts if isinstance(part, _Link)]
        if not links:
            return parts  # type: ignore[return-value]
        below = [Deferred.fromCoroutine(self._below(link.target, level, above)) for link in links]
        try:
            lists = iter(await gatherResults(below, consumeErrors=True))
        except BaseException as error:
            for each in below:
                each.cancel()
            raise getattr(error, "subFailure", Failure(error)).value from None
        found: list[str] = []
        for part in parts:
            if isinstance(part, _Link):
                found += next(lists)
            else:
                found.append(part)
        return found

    async def _below(self, target: str, level: int, above: frozenset[Search]) -> list[str]:
        """The values behind a name or URL."""
        search = self._target(target, level)
        if search is None or search in above:
            return []
        try:
            entries = await self._entries(search)
        except SearchFailed as error:
            text = f"{describe(error.code)} {error.text}".rstrip()
            if error.code == NO_SUCH_OBJECT and not is_url(target):
                self._log.warning(
                    f"dict_ldap_get_values[{level}]: DN {target} not found, skipping {error.text}".rstrip()
                )
                return []
            self._log.warning(f"dict_ldap_get_values[{level}]: search error {error.code}: {text}")
            raise QueryError(f"{self._table}: Had some trouble with entries returned by search: {text}") from None
        pause = level % _LEVELS_A_TURN == 0
        if pause:
            await deferLater(self._reactor, 0)
        values = await self.values(entries, level + 1, above | {search})
        if pause:
            await deferLater(self._reactor, 0)
        return values

    def _target(self, target: str, level: int) -> Search | None:
        """The search for a name or URL; None if there is nothing to ask for."""
        whole = self._prototype
        if not is_url(target):
            return replace(whole, base=target, scope=0, filter=PRESENT)
        try:
            url = parse_url(target)
        except BadUrl:
            raise self._failed(level, f"malformed URL {target}") from None
        attributes = _common(url.attributes, whole.attributes)
        if not attributes:
            return None
        return replace(whole, base=url.dn, scope=url.search_scope, filter=url.search_filter, attributes=attributes)

    async def _entries(self, search: Search) -> list[Entry]:
        """Each search is made once in a lookup, however many groups point there."""
        found = self._found.get(search)
        if found is None:
            found = self._found[search] = await self._under_way.ask(search, partial(self._in_turn, search))
        return found

    async def _in_turn(self, search: Search) -> list[Entry]:
        return await self._turns.run(lambda: Deferred.fromCoroutine(self._search(search)))  # type: ignore[no-any-return]


def _common(wanted: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """The attributes of a URL that the table knows; all of them where the URL names none. Options (``;lang-en``) of either
    side count, those of both have to be the same."""
    if not wanted:
        return known
    found = []
    for name in wanted:
        for other in known:
            if name.lower() == other.lower():
                found.append(other)
            elif (";" in name) != (";" in other) and name.partition(";")[0].lower() == other.partition(";")[0].lower():
                found.append(max(name, other, key=len))
            else:
                continue
            break
    return tuple(found)
