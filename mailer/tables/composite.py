"""Tables made of tables: ``unionmap:{type:name, ...}`` and ``pipemap:{type:name, ...}`` (DATABASE_README)."""

from __future__ import annotations

from typing import Any

from mailer.config.errors import ConfigError
from mailer.tables.base import Table
from mailer.tables.inline import members
from mailer.tables.spec import split_spec

__all__ = ["PipeTable", "UnionTable"]


class _CompositeTable(Table):
    """Opens its parts through the service's tables, so a part named twice is opened once and closed with the others."""

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        specs = members(argument, self.type, "type:name")
        for spec in specs:
            if split_spec(spec) is None:
                raise ConfigError(f'bad syntax: "{self.name}"; need "{self.type}:{{type:name...}}"')
        self.parts = tuple(context.tables.open(spec) for spec in specs)
        self.pattern = any(table.pattern for table in self.parts)


class UnionTable(_CompositeTable):
    """All that its parts find, joined by commas."""

    type = "unionmap"

    async def lookup(self, key: str) -> str | None:
        if not key.isascii() and not self.acceptable(key):
            return None
        values = [value for table in self.parts if (value := await table.lookup(key)) is not None]
        return ",".join(values) if values else None


class PipeTable(_CompositeTable):
    """What one part finds is the next one's question."""

    type = "pipemap"

    async def lookup(self, key: str) -> str | None:
        if not key.isascii() and not self.acceptable(key):
            return None
        value: str | None = key
        for table in self.parts:
            value = await table.lookup(value)
            if value is None:
                return None
        return value
