"""postconf -a, -A, -l, -m and -T: what this installation can do."""

from __future__ import annotations

from collections.abc import Callable

from mailer.commands.postconf_source import Fatal, warn

__all__ = ["show_locks", "show_tables", "show_tls"]

_LOCKS = ("flock", "fcntl", "dotlock")
_PUBLIC_KEYS = ("dsa", "ecdsa", "rsa")


def show_locks(out: Callable[[str], None]) -> None:
    """-l: ways to lock a mailbox."""
    for name in _LOCKS:
        out(name)


def show_tables(out: Callable[[str], None]) -> None:
    """-m: the table types that are installed, sorted."""
    from mailer.interfaces.table import ITableFactory
    from mailer.plugins.registry import installed

    registry = installed(ITableFactory, "table type")
    for problem in registry.problems:
        warn(problem)
    for name in registry.names():
        out(name)


def show_tls(mode: str, out: Callable[[str], None]) -> None:
    """-T: the TLS library. Raises Fatal for a mode that does not exist."""
    from OpenSSL import SSL

    version = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode("ascii", "replace")
    if mode in ("compile-version", "run-version"):
        out(version)
    elif mode == "public-key-algorithms":
        for name in _PUBLIC_KEYS:
            out(name)
    else:
        warn(f"unknown 'postconf -T' mode: {mode}")
        raise Fatal("")
