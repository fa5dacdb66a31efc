"""``unix:passwd.byname`` and ``unix:group.byname``: accounts and groups of the system (DATABASE_README).

The system's own library is asked, so whatever nsswitch.conf names counts; and since that may be a directory server, it is
asked on a thread, with answers kept for a moment. Where there are no threads (commands, tests) it is asked directly.
"""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable
from typing import Any

from twisted.internet.threads import deferToThreadPool

from mailer.config.errors import ConfigError
from mailer.message.status import TemporaryError
from mailer.tables.base import FixedTable

__all__ = ["UnixTable", "build"]

#: Seconds for which an answer is kept, and how many are.
KEPT = 2.0
_MOST = 10_000


def passwd_entry(name: str) -> str | None:
    """The account as a line of passwd(5)."""
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return None
    return ":".join(str(field) for field in entry)


def group_entry(name: str) -> str | None:
    """The group as a line of group(5)."""
    try:
        entry = grp.getgrnam(name)
    except (KeyError, ValueError):
        return None
    return f"{entry.gr_name}:{entry.gr_passwd}:{entry.gr_gid}:{','.join(entry.gr_mem)}"


_TABLES = {"passwd.byname": passwd_entry, "group.byname": group_entry}


def build(argument: str, context: Any) -> UnixTable:
    ask = _TABLES.get(argument)
    if ask is None:
        raise ConfigError(f"unknown table: unix:{argument}")
    return UnixTable(argument, context, ask)


class UnixTable(FixedTable):
    """``ask(name)`` may block."""

    type = "unix"

    def __init__(self, argument: str, context: Any, ask: Callable[[str], str | None]) -> None:
        super().__init__(argument, context)
        self._ask = ask
        self._reactor = context.reactor
        self._pool = getattr(context.reactor, "getThreadPool", None)
        self._kept: dict[str, tuple[float, str | None]] = {}

    async def lookup(self, key: str) -> str | None:
        if not key.isascii() and not self.acceptable(key):
            return None
        name = self.folded(key)
        now = self._reactor.seconds()
        kept = self._kept.get(name)
        if kept is not None and kept[0] > now:
            return kept[1]
        try:
            if self._pool is None:
                value = self._ask(name)
            else:
                value = await deferToThreadPool(self._reactor, self._pool(), self._ask, name)
        except OSError as error:
            raise TemporaryError(f"{self.name}: {error}") from error
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[name] = (now + KEPT, value)
        return value
