"""``randmap:{a, b, c}``: one of several values, by chance (DATABASE_README). A value given twice is twice as likely."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from mailer.tables.base import PatternTable
from mailer.tables.inline import members

__all__ = ["RandomTable"]


class RandomTable(PatternTable):
    """``choose`` picks one of a sequence."""

    type = "randmap"

    def __init__(self, argument: str, context: Any, choose: Callable[[Sequence[str]], str] = random.choice) -> None:
        super().__init__(argument, context)
        self._values = members(argument, self.type, "value")
        self._choose = choose

    def find(self, key: str) -> str | None:
        return self.checked(key, self._choose(self._values))
