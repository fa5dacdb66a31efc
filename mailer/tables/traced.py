"""Tables that tell what they were asked and what they said: what ``mailer explain`` shows. No running service uses these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zope.interface import implementer

from mailer.interfaces.table import ITable
from mailer.message.status import TemporaryError

__all__ = ["Asked", "Searched", "Trace", "TracedTable"]


@dataclass(frozen=True)
class Searched:
    """What a table asked a server on the way: an LDAP search, say."""

    base: str
    filter: str
    server: str
    outcome: str
    seconds: float


@dataclass
class Asked:
    """One lookup. ``parameter`` is the one that names the table, "" if it was opened by itself (in a match list, or by another
    table). ``answer`` is None for "not found"; ``problem`` says why it cannot tell."""

    parameter: str
    table: str
    key: str
    answer: str | None = None
    problem: str = ""
    seconds: float = 0.0
    searches: list[Searched] = field(default_factory=list)


class Trace:
    """All lookups of one question, in order. :param seconds: a clock."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.asked: list[Asked] = []
        self.seconds = seconds


@implementer(ITable)
class TracedTable:
    """A table with a trace. Whatever else it can do it still can."""

    def __init__(self, table: Any, parameter: str, trace: Trace) -> None:
        self._table = table
        self._parameter = parameter
        self._trace = trace

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    @property
    def name(self) -> str:
        return str(self._table.name)

    @property
    def pattern(self) -> bool:
        return bool(self._table.pattern)

    async def lookup(self, key: str) -> str | None:
        trace = self._trace
        asked = Asked(self._parameter, self._table.name, key)
        trace.asked.append(asked)
        if hasattr(self._table, "observe"):  # LDAP tells of its searches
            self._table.observe = lambda search, server, seconds, outcome: asked.searches.append(
                Searched(search.base, search.text or "(objectClass=*)", server, outcome, seconds)
            )
        began = trace.seconds()
        try:
            asked.answer = await self._table.lookup(key)
        except TemporaryError as error:
            asked.problem = error.cause or str(error.reply)
            raise
        finally:
            asked.seconds = trace.seconds() - began
        return asked.answer

    def close(self) -> None:
        self._table.close()
