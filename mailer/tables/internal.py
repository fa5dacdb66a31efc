"""``internal:name``: a table in memory, empty at start (DATABASE_README). Nothing in it outlives the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zope.interface import implementer

from mailer.interfaces.table import IListedTable
from mailer.tables.base import FixedTable

__all__ = ["InternalTable"]


@implementer(IListedTable)
class InternalTable(FixedTable):
    """A dict that code of the same service may fill."""

    type = "internal"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        self._entries: dict[str, str] = {}

    def find(self, key: str) -> str | None:
        return self._entries.get(key)

    def store(self, key: str, value: str) -> None:
        self._entries[self.folded(key)] = value

    def items(self) -> Iterator[tuple[str, str]]:
        return iter(self._entries.items())
