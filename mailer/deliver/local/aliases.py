"""alias_maps, each table with the rights of its owner: what its commands and files may do (local(8), DELIVERY RIGHTS)."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mailer.deliver.hands.identity import Identity

__all__ = ["Alias", "Aliases"]

#: What table types add to the name of a file.
_SUFFIXES = ("", ".db", ".lmdb", ".cdb", ".dir", ".pag")


@dataclass(frozen=True, slots=True)
class Alias:
    """``value`` is the right-hand side. ``rights`` is None when the owner is root: default_privs then."""

    value: str
    rights: Identity | None


class Aliases:
    """:param specs: alias_maps. :param tables: ITables whose results may name files and commands."""

    def __init__(self, specs: Iterable[str], tables: Any) -> None:
        self._tables = [(tables.maps((spec,), "alias_maps"), spec.partition(":")[2]) for spec in specs]

    async def find(self, name: str) -> Alias | None:
        """:raise TemporaryError: a table cannot tell now."""
        for table, path in self._tables:
            value = await table.lookup(name)
            if value is not None:
                return Alias(value, _owner(path))
        return None


def _owner(path: str) -> Identity | None:
    """The rights of a table file's owner; what is no file counts as root's."""
    for suffix in _SUFFIXES:
        with contextlib.suppress(OSError, ValueError):
            uid = os.stat(path + suffix).st_uid
            if not uid:
                return None
            return rights_of(uid)
    return None


def rights_of(uid: int) -> Identity | None:
    """The rights of a user id; one without account has none but the id's own."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Identity(uid, uid, (uid,))
    return Identity(entry.pw_uid, entry.pw_gid, (entry.pw_gid,))
