"""What stands in for a table that could not be opened: every lookup is "cannot tell now" until opening it works.

A missing file or a missing package must not turn into "no such address"; and once the administrator has put it right, mail
goes on without a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.table import ITable
from mailer.message.status import TemporaryError

__all__ = ["UnavailableTable"]

#: Seconds between two attempts to open it.
INTERVAL = 1.0


@implementer(ITable)
class UnavailableTable:
    """Tries ``build()`` again when asked, at most once a second; from its success on, forwards to what it built."""

    def __init__(self, name: str, reason: str, context: Any, build: Callable[[], Any] | None) -> None:
        self.name = name
        self.reason = reason
        self._log = context.log
        self._seconds = context.reactor.seconds
        self._build = build
        self._due = self._seconds() + INTERVAL
        self._table: Any = None

    @property
    def pattern(self) -> bool:
        return self._table.pattern if self._table is not None else False

    async def lookup(self, key: str) -> str | None:
        if self._table is None and not self._opened():
            self._log.warning(f"{self.name} is unavailable. {self.reason}")
            raise TemporaryError(f"{self.name} is unavailable. {self.reason}")
        value: str | None = await self._table.lookup(key)
        return value

    def _opened(self) -> bool:
        if self._build is None or self._seconds() < self._due:
            return False
        self._due = self._seconds() + INTERVAL
        try:
            self._table = self._build()
        except ConfigError as error:
            self.reason = str(error)
            return False
        self._log.info(f"{self.name} is available again")
        return True

    def items(self) -> Iterator[tuple[str, str]]:
        if self._table is None:
            raise TemporaryError(f"{self.name} is unavailable. {self.reason}")
        items: Iterator[tuple[str, str]] = self._table.items()
        return items

    def close(self) -> None:
        if self._table is not None:
            self._table.close()
