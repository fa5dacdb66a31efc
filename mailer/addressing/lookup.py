"""Ask the tables of one parameter for an address, in the order that virtual(5) and canonical(5) describe.

``user+extension@domain``, ``user@domain``, then for our own domains ``user+extension`` and ``user``, then ``@domain``. Every
key is asked of all tables before the next key is tried; tables of patterns are asked for whole addresses only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from mailer.message.address import quote

__all__ = ["AddressMap", "Search", "split_extension"]

_UNSPLIT = frozenset(("mailer-daemon", "postmaster", "double-bounce"))


def split_extension(local: str, delimiters: str, double_bounce: str = "double-bounce", owners: bool = True) -> int:
    """Where the address extension begins (the index of its delimiter) in a local part; -1 when there is none.

    :param owners: owner_request_special: ``owner-list`` and ``list-request`` are not split at ``-``.
    """
    at = min((index for index in map(local.find, delimiters) if index >= 0), default=-1)
    if at <= 0:
        return -1
    name = local.lower()
    if name in _UNSPLIT or name == double_bounce.lower():
        return -1
    if owners and local[at] == "-" and (name.startswith("owner-") or name.endswith("-request")):
        return -1
    return at


class Search:
    """What the order of lookups depends on, the same for all tables of a service.

    :param is_local: ``await is_local(domain)``: whether bare user names stand for users of this domain.
    """

    def __init__(self, settings: Any, is_local: Callable[[str], Awaitable[bool]]) -> None:
        self.is_local = is_local
        self.delimiters: str = settings.recipient_delimiter
        self._double_bounce = settings.double_bounce_sender
        self._owners = settings.owner_request_special

    def split(self, local: str) -> tuple[str, str]:
        """``user, extension``; the extension includes its delimiter and is "" when there is none."""
        if not self.delimiters:
            return local, ""
        at = split_extension(local, self.delimiters, self._double_bounce, self._owners)
        return (local[:at], local[at:]) if at > 0 else (local, "")


class AddressMap:
    """The tables of one parameter; false when there are none."""

    def __init__(self, specs: Iterable[str], tables: Any, search: Search, title: str) -> None:
        self.title = title
        self._all = tables.maps(specs, title)
        self._fixed = self._all.fixed
        self._search = search

    def __bool__(self) -> bool:
        return bool(self._all)

    async def find(self, address: str) -> str | None:
        """The value for an address. :raise TemporaryError: a table cannot tell now."""
        found = await self.find_extended(address)
        return found[0] if found is not None else None

    async def find_extended(self, address: str) -> tuple[str, str] | None:
        """``value, extension``: the extension (with its delimiter) is what the key that was found did not cover."""
        value = await _ask(self._all, address)
        if value is not None:
            return value, ""
        local, at, domain = address.rpartition("@")
        if not at:
            local, domain = domain, ""
        user, extension = self._search.split(local)
        if extension:
            value = await _ask(self._fixed, f"{user}@{domain}" if at else user)
            if value is not None:
                return value, extension
        if at and self._fixed and await self._search.is_local(domain):
            value = await _ask(self._fixed, local)
            if value is not None:
                return value, ""
            if extension:
                value = await _ask(self._fixed, user)
                if value is not None:
                    return value, extension
        if domain:
            value = await self.find_part(f"@{domain}")
            if value is not None:
                return value, ""
        return None

    async def find_whole(self, address: str) -> str | None:
        """The address, then the address without its extension; nothing else."""
        value = await _ask(self._all, address)
        if value is None:
            local, at, domain = address.rpartition("@")
            user, extension = self._search.split(local if at else domain)
            if extension:
                value = await _ask(self._fixed, f"{user}@{domain}" if at else user)
        return value

    async def find_part(self, key: str) -> str | None:
        """A key that is no whole address: a domain, ``*``."""
        value: str | None = await self._fixed.lookup(key)
        return value


async def _ask(tables: Any, address: str) -> str | None:
    # Keys are written as RFC 5321 writes addresses; the unquoted form is for tables from before that rule.
    quoted = quote(address)
    value: str | None = await tables.lookup(quoted)
    if value is None and quoted != address:
        value = await tables.lookup(address)
    return value
