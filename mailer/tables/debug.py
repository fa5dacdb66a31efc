"""``debug:type:name``: a table whose lookups are logged, each with its answer (postmap(1), DATABASE_README)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailer.message.status import MailError, TemporaryError
from mailer.tables.base import Table
from mailer.tables.text import escaped

__all__ = ["DebugTable"]


class DebugTable(Table):
    """Asks another table and says so."""

    type = "debug"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        self._table = context.tables.open(argument)
        self.pattern = self._table.pattern

    async def lookup(self, key: str) -> str | None:
        try:
            value: str | None = await self._table.lookup(key)
        except MailError:
            self.log.info(f'{self._table.name} lookup: "{escaped(key)}" = error')
            raise
        shown = "not_found" if value is None else f'"{escaped(value)}"'
        self.log.info(f'{self._table.name} lookup: "{escaped(key)}" = {shown}')
        return value

    def items(self) -> Iterator[tuple[str, str]]:
        items = getattr(self._table, "items", None)
        if items is None:
            raise TemporaryError(f"table {self.name}: sequence operation is not supported")
        for key, value in items():
            self.log.info(f'{self._table.name} sequence: "{escaped(key)}" = "{escaped(value)}"')
            yield key, value
