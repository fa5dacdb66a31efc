"""The tables of one parameter, asked for addresses in the order of virtual(5), with what a service knows of its own
domains and of address extensions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from mailer.tables.search import Find, find_address

__all__ = ["AddressMap", "Search"]


class Search:
    """What the order of lookups depends on, the same for all tables of a service.

    :param is_local: ``await is_local(domain)``: whether bare user names stand for users of this domain.
    """

    def __init__(self, settings: Any, is_local: Callable[[str], Awaitable[bool]]) -> None:
        self.is_local = is_local
        self.delimiters: str = settings.recipient_delimiter
        self.owners: bool = settings.owner_request_special


class AddressMap:
    """The tables of one parameter; false when there are none."""

    def __init__(self, specs: Iterable[str], tables: Any, search: Search, title: str) -> None:
        self.title = title
        self._tables = tables.maps(specs, title)
        self._search = search

    def __bool__(self) -> bool:
        return bool(self._tables)

    async def find(self, address: str) -> str | None:
        """The value for an address. :raise TemporaryError: a table cannot tell now."""
        found = await self.find_extended(address)
        return found[0] if found is not None else None

    async def find_extended(self, address: str) -> tuple[str, str] | None:
        """``value, extension``: the extension (with its delimiter) is what the key that was found did not cover."""
        search = self._search
        found = await find_address(
            self._tables, address, search.delimiters, Find.DEFAULT, search.is_local, search.owners
        )
        return (found.value, found.extension) if found is not None else None
