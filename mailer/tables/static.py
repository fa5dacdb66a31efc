"""``static:value``: one answer to every question (DATABASE_README)."""

from __future__ import annotations

from typing import Any

from mailer.config.errors import ConfigError
from mailer.tables.base import FixedTable
from mailer.tables.text import braced

__all__ = ["StaticTable"]


class StaticTable(FixedTable):
    """The value is the table's name, or what stands between its braces."""

    type = "static"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        self._value = argument
        if argument.startswith("{"):
            try:
                self._value = braced(argument)
            except ValueError as error:
                raise ConfigError(f"bad static:name syntax: {error}") from None

    def find(self, key: str) -> str | None:
        return self.checked(key, self._value)
