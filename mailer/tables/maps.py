"""Several tables asked in order, as a parameter such as virtual_alias_maps names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from mailer.interfaces.table import ITable
from mailer.message.status import TemporaryError

__all__ = ["Maps"]

#: Enough of a key for the log.
_SHOWN = 1000


@implementer(ITable)
class Maps:
    """The first value found counts; a table that cannot tell ends the search, for a later one must not override it.

    ``fixed`` holds the tables whose keys are compared as they stand, the only ones asked for parts of an address.
    """

    def __init__(self, tables: Sequence[Any], log: Any, title: str = "") -> None:
        self.tables = tuple(tables)
        self.name = " ".join(table.name for table in self.tables)
        self.title = title or self.name
        self._log = log
        self._only_fixed: Maps | None = None

    @property
    def pattern(self) -> bool:
        return any(table.pattern for table in self.tables)

    @property
    def fixed(self) -> Maps:
        if not self.pattern:
            return self
        if self._only_fixed is None:
            self._only_fixed = Maps([table for table in self.tables if not table.pattern], self._log, self.title)
        return self._only_fixed

    def __bool__(self) -> bool:
        return bool(self.tables)

    async def lookup(self, key: str) -> str | None:
        for table in self.tables:
            try:
                value = await table.lookup(key)
            except TemporaryError:
                self._log.warning(f'{table.name} lookup error for "{key[:_SHOWN]}"')
                raise
            if value is not None:
                return value if value else self._empty(key)
        return None

    def _empty(self, key: str) -> str:
        self._log.warning(f"{self.title} lookup of {key} returns an empty string result")
        self._log.warning(f"{self.title} should return NO RESULT in case of NOT FOUND")
        raise TemporaryError(f"{self.title} lookup of {key} returns an empty string result")

    def close(self) -> None:
        """The tables belong to the service's ITables, which closes them."""
