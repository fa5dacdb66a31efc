"""The parameters of tables on servers: a file of their own in main.cf's form (``ldap:/etc/postfix/people.cf``), or main.cf
itself (``ldap:people`` reads ``people_server_host`` ...). ldap_table(5), mysql_table(5), pgsql_table(5), sqlite_table(5).

A file's values stand as they are, without ``$name``; those in main.cf are expanded as all of main.cf is. Names that no one
reads are left alone, as Postfix does. Errors are in its words.
"""

from __future__ import annotations

import re
from typing import Any

from mailer.config.errors import ConfigError
from mailer.config.maincf import parse_main
from mailer.config.values import split_list

__all__ = ["Parameters"]

_NUMBER = re.compile(r"[ \t\n]*[+-]?\d+", re.ASCII)
_LARGEST = 2**31 - 1


class Parameters:
    """:param argument: what stands after ``type:``: a path that begins with ``/`` or ``.``, or a name.
    :raise ConfigError: the file cannot be read or is no list of settings.

    ``name`` is what messages call the table. Values are read by name; ``default`` stands in where there is none. Every read
    raises ConfigError for a value that is none of its kind.
    """

    def __init__(self, argument: str, context: Any) -> None:
        self.name = argument
        self.in_file = argument[:1] in ("/", ".")
        self._settings = context.settings
        self._texts: dict[str, str] = {}
        if self.in_file:
            self._texts = self._read(argument, context.log)

    @staticmethod
    def _read(path: str, log: Any) -> dict[str, str]:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                parsed = parse_main(file.read(), path)
        except OSError as error:
            raise ConfigError(f"open {path}: {error.strerror}") from None
        for problem in parsed.problems:
            log.warning(f"{problem.file}, line {problem.line}: {problem.text}")
        return {name: entry.value for name, entry in parsed.entries.items()}

    def is_set(self, name: str) -> bool:
        return self._text(name) is not None

    def text(self, name: str, default: str = "") -> str:
        value = self._text(name)
        return default if value is None else value

    def words(self, name: str, default: str = "") -> tuple[str, ...]:
        """A list, split at commas and white space."""
        return split_list(self.text(name, default))

    def integer(self, name: str, default: int, minimum: int | None = None) -> int:
        value = self._text(name)
        if value is None:
            return default
        if _NUMBER.fullmatch(value) is None or abs(int(value)) > _LARGEST:
            raise self._wrong(name, value, "bad numerical configuration")
        number = int(value)
        if minimum is not None and number < minimum:
            raise ConfigError(f"{self.name}: invalid {name} parameter value {number} < {minimum}")
        return number

    def boolean(self, name: str, default: bool) -> bool:
        value = self._text(name)
        if value is None:
            return default
        word = value.lower()
        if word not in ("yes", "no"):
            raise self._wrong(name, value, "bad boolean configuration")
        return word == "yes"

    def seconds(self, name: str, default: float) -> float:
        """A time of our own parameters: ``5``, ``0.5``, ``500ms``, ``5s``, ``2m``, ``1h``, ``1d``."""
        value = self._text(name)
        if value is None:
            return default
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)(ms|[smhd])?", value, re.ASCII)
        if match is None:
            raise self._wrong(name, value, "bad time value or unit")
        return float(match[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2] or "s"]

    def _wrong(self, name: str, value: str, problem: str) -> ConfigError:
        return ConfigError(f"{self.name}: {problem}: {name} = {value}")

    def _text(self, name: str) -> str | None:
        if self.in_file:
            return self._texts.get(name)
        full = f"{self.name}_{name}"
        return self._settings.text(full) if self._settings.is_set(full) else None
