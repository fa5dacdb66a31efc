"""Open tables by ``type:name``: one table per name and service, by whichever plug-in declares the type.

``proxy:`` in front of a type counts where tables are read by a process of their own (mailer.ipc.lookups); where one process
does everything the table is opened directly, but only if proxy_read_maps has it, so that both refuse the same.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.table import ITableFactory, ITables, TableOptions
from mailer.plugins.guard import ours
from mailer.plugins.registry import Registry, installed
from mailer.tables.commons import Commons
from mailer.tables.guarded import guarded_table
from mailer.tables.maps import Maps
from mailer.tables.spec import named, split_spec
from mailer.tables.traced import Trace, TracedTable
from mailer.tables.unavailable import UnavailableTable

__all__ = ["Tables", "table_types"]

#: How deep ``proxy:`` and tables made of tables may nest.
_DEEPEST = 100


def table_types() -> Registry:
    """The table types installed on this machine."""
    return installed(ITableFactory, "lookup table type")


@implementer(ITables)
class Tables:
    """The tables of one service.

    :param context: its Context; ``tables`` in it is replaced by this object for what is opened here.
    :param options: how to open them; None: as settings.smtputf8_enable says.
    :param strict: what cannot be opened is a ConfigError (for commands), not a table that cannot tell.
    :param trace: takes what tables are asked and what they say, for explaining; None: nothing is recorded.
    :param elsewhere: ``elsewhere(proxied, type, name, options)`` gives the ITable of one that another process has to
        read, or None: it is opened here. ``proxied`` says whether ``proxy:`` stands before it.
    :param commons: what tables use together with those of other services, for the owner of it to close; None: an own one.
    """

    def __init__(
        self,
        context: Any,
        options: TableOptions | None = None,
        types: Registry | None = None,
        strict: bool = False,
        elsewhere: Callable[[bool, str, str, TableOptions], Any] | None = None,
        trace: Trace | None = None,
        commons: Commons | None = None,
    ) -> None:
        self.options = options or TableOptions(utf8=context.settings.smtputf8_enable)
        self.problems: list[str] = []
        self._context = replace(context, tables=self)
        self._types = types or table_types()
        self._tables: dict[str, Any] = {}
        self._depth = 0
        self._strict = strict
        self._elsewhere = elsewhere
        self._trace = trace
        self._secured: Tables | None = None
        self._approved: frozenset[str] | None = None
        self._commons = commons or Commons()
        self._owns_commons = commons is None

    def open(self, spec: str) -> Any:
        return self._traced(self._known(spec), "")

    def _traced(self, table: Any, title: str) -> Any:
        return table if self._trace is None else TracedTable(table, title, self._trace)

    def _known(self, spec: str) -> Any:
        table = self._tables.get(spec)
        if table is None:
            table = self._tables[spec] = self._opened(spec)
        return table

    def maps(self, specs: Iterable[str], title: str = "") -> Maps:
        return Maps([self._traced(self._known(spec), title) for spec in specs], self._context.log, title)

    def secured(self) -> Tables:
        if self.options.secure:
            return self
        if self._secured is None:
            self._secured = Tables(
                self._context,
                replace(self.options, secure=True),
                self._types,
                self._strict,
                self._elsewhere,
                self._trace,
                self._commons,
            )
            self._secured.problems = self.problems
        return self._secured

    def share(self, key: Hashable, make: Callable[[], Any]) -> Any:
        return self._commons.share(key, make)

    def close(self) -> None:
        if self._secured is not None:
            self._secured.close()
        tables, self._tables = self._tables, {}
        for table in tables.values():
            table.close()
        if self._owns_commons:
            self._commons.close()

    def build(self, spec: str) -> Any:
        """Open a table anew. :raise ConfigError: it cannot be opened."""
        type, name = self._split(spec)
        if self._elsewhere is not None:
            table = self._elsewhere(spec.startswith("proxy:"), type, name, self.options)
            if table is not None:
                return table
        elif spec.startswith("proxy:"):
            self._approve(f"{type}:{name}")
        factory = self._types.find(type)
        if factory is None:
            raise ConfigError(f"unsupported dictionary type: {type}")
        if self._depth >= _DEEPEST:
            raise ConfigError(f"{spec[:100]}: tables within tables, too many")
        self._depth += 1
        try:
            if ours(factory):
                return factory.build(name, self._context)
            return guarded_table(factory, type, name, self._context)
        finally:
            self._depth -= 1

    def _approve(self, bare: str) -> None:
        """:raise ConfigError: proxymap(8) would not read it."""
        if self._approved is None:
            text = self._context.settings.text("proxy_read_maps")
            self._approved = frozenset(spec for proxied, spec in named(text) if proxied)
        if bare not in self._approved:
            problem = f'request for unapproved table: "{bare[:100]}"'
            raise ConfigError(problem, f"list proxy:{bare[:100]} in main.cf:proxy_read_maps")

    def _opened(self, spec: str) -> Any:
        self._split(spec)
        try:
            return self.build(spec)
        except ConfigError as error:
            if self._strict:
                raise
            reason = str(error)
            self._context.log.error(reason)
            self.problems.append(f"{spec} is unavailable: {reason}")
            return UnavailableTable(spec, reason, self._context, lambda: self.build(spec))

    @staticmethod
    def _split(spec: str) -> tuple[str, str]:
        bare = spec
        while bare.startswith("proxy:"):
            bare = bare[len("proxy:") :]
        parts = split_spec(bare)
        if parts is None:
            raise ConfigError(f'open dictionary: expecting "type:name" form instead of "{spec}"')
        return parts
