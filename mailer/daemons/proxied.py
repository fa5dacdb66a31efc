"""Which lookup tables a daemon leaves to proxymap: those that main.cf says so of, those that need a password, and, in a
chroot, all that are files."""

from __future__ import annotations

from typing import Any

from mailer.interfaces.table import TableOptions
from mailer.ipc.client import Client
from mailer.ipc.lookups import RemoteTable

__all__ = ["FILES", "WITH_PASSWORDS", "Proxied"]

#: Types whose definitions hold passwords, or whose connections are to be few.
WITH_PASSWORDS = frozenset(("ldap", "mysql", "pgsql", "sqlite"))
#: Types that are files (or the system's account files), unless they are written in main.cf itself.
FILES = frozenset(("hash", "btree", "cdb", "dbm", "lmdb", "sdbm", "texthash", "regexp", "pcre", "cidr", "unix"))
_PATTERNS = frozenset(("regexp", "pcre", "cidr"))


class Proxied:
    """For ``Tables(elsewhere=...)``. :param client: to proxymap."""

    def __init__(self, client: Client, chrooted: bool) -> None:
        self._client = client
        self._chrooted = chrooted

    def close(self) -> None:
        self._client.close()

    def __call__(self, proxied: bool, type: str, name: str, options: TableOptions) -> Any:
        in_file = self._chrooted and type in FILES and not name.startswith("{")
        if proxied or in_file or type in WITH_PASSWORDS:
            return RemoteTable(self._client, f"{type}:{name}", options, type in _PATTERNS)
        return None
