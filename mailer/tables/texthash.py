"""``texthash:/file``: the text that postmap reads, looked up without running postmap (DATABASE_README).

Unlike Postfix, a changed file is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from zope.interface import implementer

from mailer.interfaces.table import IListedTable
from mailer.tables.base import FixedTable
from mailer.tables.source import entries
from mailer.tables.watched import Watched

__all__ = ["TextTable"]


@implementer(IListedTable)
class TextTable(FixedTable):
    """A dict from the file's lines; of two lines with one key the first counts."""

    type = "texthash"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        self._path = argument
        self._file = Watched(argument, context, self._parse, "open database")

    def _parse(self, text: str, warn: Callable[[str], None]) -> dict[str, str]:
        table: dict[str, str] = {}
        skipped = " -- ignoring this line"
        for number, key, value in entries(text, self._path, warn, self.options.utf8, skipped):
            folded = self.folded(key)
            if folded in table:
                warn(f'{self._path}, line {number}: duplicate entry: "{key}"')
            else:
                table[folded] = value
        return table

    def find(self, key: str) -> str | None:
        return self._file.current().get(key)

    def items(self) -> Iterator[tuple[str, str]]:
        return iter(self._file.current().items())
