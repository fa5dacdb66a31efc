"""Lookup tables for tests: in memory, broken, and a set of them by name.

``MemoryTable`` answers from a dict, ``BrokenTable`` never knows, ``MemoryTables`` is an ITables whose tables a test hands
over. ``TableContract`` is what every table promises, as tests: subclass it and give it a table.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable, Iterable, Iterator, Mapping
from typing import Any

from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailer.interfaces.table import IListedTable, ITable, ITables, TableOptions
from mailer.message.status import TemporaryError

__all__ = ["BrokenTable", "MemoryTable", "MemoryTables", "TableContract", "answer"]


def answer(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that must not suspend (a lookup in memory, say)."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        return finished.value
    coroutine.close()
    raise AssertionError("the coroutine waits for something")


@implementer(IListedTable)
class MemoryTable:
    """Answers from a dict; keys are folded to lower case as hash: does. ``asked`` lists every key looked up."""

    def __init__(
        self, entries: Mapping[str, str] | None = None, name: str = "memory:table", pattern: bool = False
    ) -> None:
        self.name = name
        self.pattern = pattern
        self.entries = {key.lower(): value for key, value in (entries or {}).items()}
        self.asked: list[str] = []
        self.closed = False

    async def lookup(self, key: str) -> str | None:
        self.asked.append(key)
        return self.entries.get(key.lower())

    def items(self) -> Iterator[tuple[str, str]]:
        return iter(self.entries.items())

    def close(self) -> None:
        self.closed = True


@implementer(ITable)
class BrokenTable:
    """Every lookup says "cannot tell now"."""

    def __init__(self, name: str = "memory:broken", pattern: bool = False) -> None:
        self.name = name
        self.pattern = pattern

    async def lookup(self, key: str) -> str | None:
        raise TemporaryError(f"{self.name} lookup error")

    def close(self) -> None:
        """Nothing to give back."""


@implementer(ITable)
class _Maps:
    """Several tables asked in order; ``tables`` lets a search skip those with patterns for parts of an address."""

    def __init__(self, tables: Iterable[Any], title: str = "") -> None:
        self.tables = tuple(tables)
        self.name = ",".join(table.name for table in self.tables)
        self.title = title or self.name
        self.pattern = any(table.pattern for table in self.tables)

    @property
    def fixed(self) -> _Maps:
        return _Maps((table for table in self.tables if not table.pattern), self.title)

    def __bool__(self) -> bool:
        return bool(self.tables)

    async def lookup(self, key: str) -> str | None:
        for table in self.tables:
            value: str | None = await table.lookup(key)
            if value is not None:
                return value
        return None

    def close(self) -> None:
        """The tables belong to the test."""


@implementer(ITables)
class MemoryTables:
    """An ITables over the tables given: ``MemoryTables({"hash:/etc/aliases": {"root": "me"}})``.

    Values are tables or dicts; opening a name that was not given is a KeyError, which a test should not survive.
    """

    def __init__(self, tables: Mapping[str, Any] | None = None, options: TableOptions | None = None) -> None:
        self.options = options or TableOptions()
        self.problems: list[str] = []
        self._shared: dict[Hashable, Any] = {}
        self._tables: dict[str, Any] = {
            spec: MemoryTable(table, spec) if isinstance(table, Mapping) else table
            for spec, table in (tables or {}).items()
        }

    def open(self, spec: str) -> Any:
        return self._tables[spec]

    def maps(self, specs: Iterable[str], title: str = "") -> Any:
        return _Maps(self._tables[spec] for spec in specs)

    def secured(self) -> Any:
        return self

    def share(self, key: Hashable, make: Callable[[], Any]) -> Any:
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]

    def close(self) -> None:
        """The tables belong to the test."""


class TableContract:
    """What every ITable promises. A subclass (its name begins with Test) gives ``build``, and pytest runs the tests.

    ``build(tmp_path)`` returns a new table that finds ``value`` for ``key`` and nothing for ``absent`` (None: it finds
    something for every key). ``answer(coroutine)`` gives a lookup's result; a table that has to wait needs one of its own.
    """

    key = "user@example.com"
    value = "the value"
    absent: str | None = "nobody@example.net"
    pattern = False

    def build(self, tmp_path: Any) -> Any:
        raise NotImplementedError

    def answer(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return answer(coroutine)

    def test_provides_the_interface(self, tmp_path: Any) -> None:
        table = self.build(tmp_path)
        assert verifyObject(ITable, table)
        assert table.name
        assert bool(table.pattern) is self.pattern
        table.close()

    def test_finds_at_once(self, tmp_path: Any) -> None:
        table = self.build(tmp_path)
        assert self.answer(table.lookup(self.key)) == self.value
        assert self.answer(table.lookup(self.key)) == self.value
        table.close()

    def test_absent_is_none(self, tmp_path: Any) -> None:
        table = self.build(tmp_path)
        if self.absent is not None:
            assert self.answer(table.lookup(self.absent)) is None
        table.close()

    def test_any_key_is_answered_or_cannot_be_told(self, tmp_path: Any) -> None:
        table = self.build(tmp_path)
        for key in ("", "@", "\udcff", "\u00e9", "a\nb", "x" * 5000, "a\0b", "[1.2.3.4]", "{", "$1"):
            try:
                value = self.answer(table.lookup(key))
            except TemporaryError:
                continue
            assert value is None or isinstance(value, str)
        table.close()
