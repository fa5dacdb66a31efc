"""``environ:name``: the process environment (DATABASE_README). The name is not looked at."""

from __future__ import annotations

import os

from mailer.tables.base import Table
from mailer.tables.text import octets

__all__ = ["EnvironTable"]


class EnvironTable(Table):
    """Variable names have case; nothing is folded."""

    type = "environ"

    def find(self, key: str) -> str | None:
        value = os.environb.get(octets(key))
        return None if value is None else self.checked(key, value.decode("utf-8", "surrogateescape"))
