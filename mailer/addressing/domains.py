"""Which domains are ours: lists of domains as main.cf writes them, and the addresses of our own interfaces.

A list member is a domain, ``.domain`` for the domains below it, ``!member`` to take one out again, ``/file/name`` with
more members, or ``type:name``, a table in which the domain is looked up (postconf(5), relay_domains, mydestination).
The first member that matches decides. Names compare without regard to case.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from mailer.config.dynamic import chosen_interfaces
from mailer.config.errors import ConfigError
from mailer.config.values import split_list
from mailer.message.address import fold

__all__ = ["DomainList", "own_addresses"]

_Test = Callable[[str], Awaitable[bool]]
_FILE_DEPTH = 10


class DomainList:
    """One list, for example relay_domains.

    :param parents: whether a listed domain also stands for all domains below it
        (parent_domain_matches_subdomains); None: neither do ``.domain`` members count (mydestination).
    """

    def __init__(self, name: str, members: Iterable[str], tables: Any, parents: bool | None = None) -> None:
        self.name = name
        self._parents = parents
        self._tables = tables
        #: ``(found, exact names, other test)``, in order; names next to each other share one set.
        self._steps: list[tuple[bool, set[str], _Test | None]] = []
        self._add(members, 0)
        self._plain = self._steps[0][1] if len(self._steps) == 1 and self._simple() else None

    def __bool__(self) -> bool:
        return bool(self._steps)

    async def contains(self, domain: str) -> bool:
        """:raise TemporaryError: a table cannot tell now."""
        name = fold(domain)
        if self._plain is not None:
            return name in self._plain
        for found, names, test in self._steps:
            if name in names or (test is not None and await test(name)) or self._below(name, names):
                return found
        return False

    def known(self, domain: str) -> bool | None:
        """What can be told without asking a table: True, False or None."""
        return fold(domain) in self._plain if self._plain is not None else None

    def _simple(self) -> bool:
        found, names, test = self._steps[0]
        return found and test is None and self._parents is None

    def _below(self, name: str, names: set[str]) -> bool:
        if self._parents is None:
            return False
        dot = name.find(".")
        while dot >= 0:
            if name[dot + 1 if self._parents else dot :] in names:
                return True
            dot = name.find(".", dot + 1)
        return False

    def _add(self, members: Iterable[str], depth: int) -> None:
        for member in members:
            found = True
            while member.startswith("!"):
                found, member = not found, member[1:]
            if member.startswith("/"):
                self._add_file(member, found, depth)
            elif ":" in member and not member.startswith("["):
                self._steps.append((found, set(), self._table_test(member)))
            else:
                self._name(found, fold(member))

    def _name(self, found: bool, name: str) -> None:
        if self._steps and self._steps[-1][0] == found and self._steps[-1][2] is None:
            self._steps[-1][1].add(name)
        else:
            self._steps.append((found, {name}, None))

    def _add_file(self, path: str, found: bool, depth: int) -> None:
        if depth >= _FILE_DEPTH:
            raise ConfigError(f"{self.name}: {path}: files name each other without end")
        try:
            text = Path(path).read_text("utf-8", "surrogateescape")
        except OSError as error:
            raise ConfigError(f"{self.name}: cannot read {path}: {error.strerror}") from None
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        members = split_list(" ".join(lines))
        self._add([member if found else f"!{member}" for member in members], depth + 1)

    def _table_test(self, spec: str) -> _Test:
        table = self._tables.open(spec)

        async def test(name: str) -> bool:
            if await table.lookup(name) is not None:
                return True
            if self._parents is None or table.pattern:
                return False
            dot = name.find(".")
            while dot >= 0:
                if await table.lookup(name[dot + 1 if self._parents else dot :]) is not None:
                    return True
                dot = name.find(".", dot + 1)
            return False

        return test


def own_addresses(settings: Any) -> frozenset[str]:
    """The domain literals that mean this machine: inet_interfaces and proxy_interfaces, as ``[192.0.2.1]`` and
    ``[ipv6:2001:db8::1]``."""
    texts = [str(interface.address) for interface in chosen_interfaces(settings)]
    texts += [text.strip("[]").lower().removeprefix("ipv6:") for text in settings.proxy_interfaces]
    return frozenset(f"[ipv6:{text}]" if ":" in text else f"[{text}]" for text in texts)
