"""``csv:/path/people.csv:address:forward``: the value of column ``forward`` in the row whose column ``address`` is the key.

The first row names the columns. A changed file is noticed within a second, and the old content answers until the new one is
read; mailer.tables.watched does that.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.table import IListedTable
from mailer.tables.base import FixedTable
from mailer.tables.watched import Watched

__all__ = ["CsvTable"]


@implementer(IListedTable)
class CsvTable(FixedTable):
    """FixedTable checks and folds keys; what is left is to find one."""

    type = "csv"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        self._path, *columns = argument.rsplit(":", 2)
        if len(columns) != 2:
            raise ConfigError(f"{self.name}: expected csv:file:key column:value column")
        self._columns = columns
        self._file = Watched(self._path, context, self._parse)

    def _parse(self, text: str, warn: Callable[[str], None]) -> dict[str, str]:
        """:raise ConfigError: the file as a whole is of no use. Single rows that are wrong are told and left out."""
        rows = csv.DictReader(io.StringIO(text, newline=""))
        missing = [name for name in self._columns if name not in (rows.fieldnames or ())]
        if missing:
            raise ConfigError(f"no column {missing[0]}", file=self._path, line=1)
        key_column, value_column = self._columns
        found: dict[str, str] = {}
        for row in rows:
            key, value = row[key_column], row[value_column]
            if not key or not value:
                warn(f"{self._path}, line {rows.line_num}: a row without {key_column if not key else value_column}")
            elif self.folded(key) in found:
                warn(f'{self._path}, line {rows.line_num}: duplicate entry: "{key}"')
            else:
                found[self.folded(key)] = value
        return found

    def find(self, key: str) -> str | None:
        value = self._file.current().get(key)
        return None if value is None else self.checked(key, value)

    def items(self) -> Iterator[tuple[str, str]]:
        return iter(self._file.current().items())
