"""Lookup tables of other people's plug-ins: bounded in time, and whatever they do wrong is "cannot tell now"."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.table import ITable
from mailer.plugins.guard import Guard, build, describe

__all__ = ["GuardedTable", "guarded_table"]


def guarded_table(factory: Any, type: str, name: str, context: Any) -> GuardedTable:
    """Open a plug-in's table. :raise ConfigError: it cannot be opened."""
    table = build(factory, name, context, f"table {type}:{name}")
    if not ITable.providedBy(table):
        raise ConfigError(f"table {type}:{name} ({describe(factory)}): {table!r} is no ITable")
    title = f"table {type}:{name} ({describe(factory)})"
    return GuardedTable(table, Guard(title, context.settings.plugin_lookup_time_limit, context))


@implementer(ITable)
class GuardedTable:
    """What else a table may offer (``items``, ``fixed`` ...) is the plug-in's own."""

    def __init__(self, table: Any, guard: Guard) -> None:
        self._table = table
        self._guard = guard
        self.name: str = str(table.name)

    @property
    def pattern(self) -> bool:
        return bool(self._table.pattern)

    async def lookup(self, key: str) -> str | None:
        value = await self._guard.run(self._table.lookup(key))
        if value is not None and not isinstance(value, str):
            raise self._guard.fault(f"found {value!r}, which is no str")
        return value

    def close(self) -> None:
        try:
            self._table.close()
        except Exception as error:  # the others are to be closed, too
            self._guard.fault(f"close: {type(error).__name__}: {error}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._table, name)
