"""The ``hosts`` of mysql_table(5) and pgsql_table(5): ``host``, ``host:port``, ``inet:host:port``, ``unix:/path``."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Host", "in_order", "parse_host"]


@dataclass(frozen=True)
class Host:
    """``name`` is what main.cf says; ``path`` is "" for TCP, ``port`` 0 for the usual one."""

    name: str
    path: str = ""
    host: str = ""
    port: int = 0


def parse_host(word: str) -> Host:
    """A host that makes no sense is one that cannot be reached, as in Postfix."""
    if word.startswith("unix:"):
        return Host(word, path=word[5:])
    bare = word.removeprefix("inet:")
    if bare.startswith("/"):
        return Host(word, path=bare)
    host, colon, port = bare.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535 or bare.endswith("]"):
        return Host(word, host=bare.strip("[]"))
    return Host(word, host=host.strip("[]"), port=int(port))


def in_order(words: Iterable[str], shuffle: bool = True) -> list[Host]:
    """Sockets of this machine first, otherwise by chance, so that services spread over the servers."""
    found = [parse_host(word) for word in words]
    if shuffle:
        random.shuffle(found)
    return sorted(found, key=lambda host: not host.path)
