"""``$user``, ``$home``, ``$extension`` ... in forward_path, luser_relay and command_execution_directory.

Characters of a value that a filter does not know become underscores. A name without value is empty; `expanded` says so,
since a forward_path that needs one is not tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mailer.config.expand import expand

__all__ = ["Names", "clean", "expanded"]


@dataclass(frozen=True, slots=True)
class Names:
    """What a recipient is called. ``extension`` has no delimiter; ``local`` is user and extension."""

    user: str
    extension: str
    local: str
    domain: str
    recipient: str
    delimiter: str
    home: str = ""
    shell: str = ""

    def values(self) -> Mapping[str, str]:
        return {
            "user": self.user,
            "extension": self.extension,
            "local": self.local,
            "domain": self.domain,
            "recipient": self.recipient,
            "recipient_delimiter": self.delimiter if self.extension else "",
            "home": self.home,
            "shell": self.shell,
        }


def clean(value: str, allowed: str) -> str:
    """:param allowed: all characters that may stay."""
    return "".join(char if char in allowed else "_" for char in value)


def expanded(text: str, names: Names, allowed: str) -> tuple[str, bool]:
    """The text, and whether every name in it had a value. :raise ConfigError: its syntax is wrong."""
    values = names.values()
    complete = True

    def lookup(name: str) -> str | None:
        nonlocal complete
        value = values.get(name, "")
        complete = complete and bool(value)
        return clean(value, allowed)

    return expand(text, lookup, recursive=False), complete
