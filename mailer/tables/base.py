"""What table types have in common: options, the check of keys and values, folding.

A type is a subclass of `FixedTable` (keys are compared as they stand) or `PatternTable`; it implements ``find``, which is
given a checked and folded key and finds the value or None at once.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from mailer.interfaces.table import ITable, TableOptions
from mailer.message.status import TemporaryError
from mailer.tables.text import escaped, fold, valid

__all__ = ["FixedTable", "PatternTable", "Table", "options_of"]

_MALFORMED = "malformed UTF-8 or invalid codepoint"


def options_of(context: Any) -> TableOptions:
    """The options of the tables that ``context`` opens."""
    return context.tables.options if context.tables is not None else TableOptions()


@implementer(ITable)
class Table:
    """A table named ``type:argument``."""

    type = ""
    pattern = False

    def __init__(self, argument: str, context: Any) -> None:
        self.name = f"{self.type}:{argument}"
        self.shown = self.name  # in complaints about single entries; types with files of their own name the file
        self.context = context
        self.log = context.log
        self.options = options_of(context)

    def __repr__(self) -> str:
        return f"<table {self.name}>"

    async def lookup(self, key: str) -> str | None:
        if not key.isascii() and not self.acceptable(key):
            return None
        return self.find(key)

    def find(self, key: str) -> str | None:
        """The value of a checked key."""
        raise NotImplementedError

    def acceptable(self, key: str) -> bool:
        """Whether the table may be asked for this key: with UTF-8 support a key has to be UTF-8."""
        if self.options.utf8 and not valid(key):
            self.log.warning(f'{self.shown}: non-UTF-8 key "{escaped(key)}": {_MALFORMED}')
            return False
        return True

    def checked(self, key: str, value: str) -> str:
        """The value, once it is known to be UTF-8 where that is wanted."""
        if not value.isascii() and self.options.utf8 and not valid(value):
            text = f'{self.shown}: key "{escaped(key)}": non-UTF-8 value "{escaped(value)}": {_MALFORMED}'
            self.log.warning(text)
            raise TemporaryError(text)
        return value

    def close(self) -> None:
        """Nothing to give back, unless a type says otherwise."""


class FixedTable(Table):
    """Keys are compared as they stand, folded where the options say so."""

    _asked = ""  # the key as it was before it was folded, for complaints about its value

    async def lookup(self, key: str) -> str | None:
        self._asked = key
        if key.isascii():
            return self.find(key.lower() if self.options.fold else key)
        if not self.acceptable(key):
            return None
        return self.find(self.folded(key))

    def checked(self, key: str, value: str) -> str:
        if value.isascii():
            return value
        asked = self._asked
        return super().checked(asked if self.folded(asked) == key else key, value)

    def folded(self, key: str) -> str:
        return fold(key, self.options.utf8) if self.options.fold else key


class PatternTable(Table):
    """Keys are matched as a whole, never in parts, and without folding."""

    pattern = True
