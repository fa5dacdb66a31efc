"""proxymap(8): lookup tables that another process reads, for those that may not read them or would each need a connection.

    lookup   type:name, [fold, utf8, secure], key        answered with the value, or null

Lookups are not waited for one by one: any number may be under way. A table that cannot tell, or is not there, or whose
process has gone, is "cannot tell now".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from mailer.interfaces.table import ITable, TableOptions
from mailer.ipc.client import Client
from mailer.ipc.server import Call, Verb

__all__ = ["LookupService", "RemoteTable"]

_LONGEST_KEY = 1 << 16


@implementer(ITable)
class RemoteTable:
    """:param client: to the process that has the table. :param spec: ``type:name``, without ``proxy:``.
    :param pattern: see ITable."""

    def __init__(self, client: Client, spec: str, options: TableOptions, pattern: bool) -> None:
        self.name = f"proxy:{spec}"
        self.pattern = pattern
        self._client = client
        self._spec = spec
        self._options = [options.fold, options.utf8, options.secure]

    async def lookup(self, key: str) -> str | None:
        if len(key) > _LONGEST_KEY:
            return None
        (value,), _ = await self._client.call("lookup", self._spec, self._options, key)
        found: str | None = value
        return found

    def close(self) -> None:
        """The table belongs to the other process."""


class LookupService:
    """The side that has the tables: ``verbs``.

    :param open: ``open(spec, options)`` gives the ITable. :raise MailError: it may not be asked for, or cannot be opened.
    """

    def __init__(self, open: Callable[[str, TableOptions], Any]) -> None:
        self._open = open
        self._tables: dict[tuple[Any, ...], Any] = {}
        self.verbs: dict[str, Verb] = {"lookup": self._lookup}

    def _lookup(self, call: Call) -> None:
        spec, (fold, utf8, secure), key = call.arguments
        table = self._tables.get((spec, fold, utf8, secure))
        if table is None:
            options = TableOptions(fold=bool(fold), utf8=bool(utf8), secure=bool(secure))
            table = self._tables[spec, fold, utf8, secure] = self._open(str(spec), options)
        call.run(table.lookup(str(key)))
