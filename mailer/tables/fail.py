"""``fail:name``: a table that can never tell, to try out what happens then (DATABASE_README)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zope.interface import implementer

from mailer.interfaces.table import IListedTable, ITableWriter, TableOptions
from mailer.message.status import TemporaryError
from mailer.tables.base import FixedTable

__all__ = ["FailTable", "FailWriter"]


@implementer(IListedTable)
class FailTable(FixedTable):
    """The name serves messages only."""

    type = "fail"
    pattern = True

    def find(self, key: str) -> str | None:
        raise TemporaryError(f"table {self.name}: query error: Application error")

    def items(self) -> Iterator[tuple[str, str]]:
        raise TemporaryError(f"table {self.name}: sequence error: Application error")


@implementer(ITableWriter)
class FailWriter:
    """Writing fails just as surely."""

    def __init__(self, path: str, context: Any, options: TableOptions, create: bool, mode: int = 0o644) -> None:
        self.name = f"fail:{path}"

    def add(self, key: str, value: str, bare: bool = False) -> bool:
        raise TemporaryError(f"table {self.name}: write error: Application error")

    def delete(self, key: str) -> bool:
        raise TemporaryError(f"table {self.name}: delete error: Application error")

    def close(self) -> None:
        """Nothing was written."""

    def abort(self) -> None:
        """Nothing was written."""
