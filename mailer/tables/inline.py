"""``inline:{ key=value, { key = text with spaces } }``: a table inside main.cf (DATABASE_README)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.config.values import split_list
from mailer.interfaces.table import IListedTable
from mailer.tables.base import FixedTable
from mailer.tables.text import braced, closing, valid

_QUOTED = re.compile(r'"[^"]*"').sub

__all__ = ["InlineTable", "members"]


def members(argument: str, type: str, form: str) -> tuple[str, ...]:
    """What stands between the braces of ``type:{...}``, split at commas and white space outside inner braces.

    :raise ConfigError: no braces, or nothing between them; ``form`` tells what is wanted.
    """
    found: tuple[str, ...] = ()
    if argument.startswith("{") and closing(argument) == len(argument) - 1:
        found = split_list(argument[1:-1])
    if not found:
        raise ConfigError(f'bad syntax: "{type}:{argument}"; need "{type}:{{{form}...}}"')
    return found


@implementer(IListedTable)
class InlineTable(FixedTable):
    """A dict. A key given twice keeps its last value."""

    type = "inline"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        self._entries: dict[str, str] = {}
        if self.options.utf8 and not valid(argument):
            raise self._wrong("bad UTF-8 syntax")
        if (
            argument.startswith("{")
            and argument.endswith("}")
            and argument[1:-1]
            and not argument[1:-1].strip(", \t\r\n")
        ):
            raise self._wrong("empty table")
        for member in members(argument, self.type, "name=value"):
            key, value = self._parse(member)
            self._entries[self.folded(key)] = value

    def _parse(self, member: str) -> tuple[str, str]:
        try:
            text = braced(member) if member.startswith("{") else member
        except ValueError as error:
            raise self._wrong(str(error)) from None
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or " " in _QUOTED("", key).replace("\t", " "):
            raise self._wrong("missing '=' after attribute name")
        return key, value.strip()

    def _wrong(self, problem: str) -> ConfigError:
        return ConfigError(f'{problem}: "{self.name}"; need "inline:{{name=value...}}"')

    def find(self, key: str) -> str | None:
        return self._entries.get(key)

    def items(self) -> Iterator[tuple[str, str]]:
        return iter(self._entries.items())
