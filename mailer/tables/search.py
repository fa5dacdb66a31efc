"""The orders in which tables are searched for addresses, domains and hosts.

canonical(5), virtual(5), generic(5), relocated(5), transport(5), access(5), aliases(5): "TABLE SEARCH ORDER". Every
function asks for the whole key first, of all tables; parts of it are asked only of tables with fixed keys, never of those
with patterns. All are coroutines over an ITable and raise TemporaryError when it cannot tell.

What a result means, and what becomes of an extension that did not match, is the caller's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from mailer.message.address import quote

__all__ = [
    "Find",
    "Found",
    "find_address",
    "find_domain",
    "find_host_address",
    "find_mail_access",
    "find_transport",
    "fixed",
    "parent_keys",
    "split_extension",
]


class Find(IntFlag):
    """Which keys to try for an address; they are tried in this order."""

    FULL = 1  # user+ext@domain
    NOEXT = 2  # user@domain
    LOCALPART_IF_LOCAL = 4  # user+ext, user: if the domain is one of ours
    LOCALPART_AT_IF_LOCAL = 8  # user+ext@, user@: if the domain is one of ours
    AT_DOMAIN = 16  # @domain
    DOMAIN = 32  # domain
    PARENTS = 64  # with DOMAIN: its parent domains as they stand
    DOT_PARENTS = 128  # with DOMAIN: its parent domains, each with a dot in front
    LOCALPART_AT = 256  # user+ext@, user@: whatever the domain
    DEFAULT = FULL | NOEXT | LOCALPART_IF_LOCAL | AT_DOMAIN


@dataclass(frozen=True, slots=True)
class Found:
    """``extension`` is what had to be cut off the local part to find ``key``, delimiter included (``+ext``), or ""."""

    value: str
    extension: str
    key: str


# The members as plain numbers: ``&`` of two flags takes longer than a lookup.
_FULL, _NOEXT, _AT_DOMAIN, _DOMAIN = int(Find.FULL), int(Find.NOEXT), int(Find.AT_DOMAIN), int(Find.DOMAIN)
_LOCAL, _LOCAL_AT, _LOCALPART_AT = int(Find.LOCALPART_IF_LOCAL), int(Find.LOCALPART_AT_IF_LOCAL), int(Find.LOCALPART_AT)
_PARENTS, _DOT_PARENTS = int(Find.PARENTS), int(Find.DOT_PARENTS)

IsLocal = Callable[[str], Awaitable[bool]]


def fixed(table: Any) -> Any:
    """The part of ``table`` that may be asked for parts of a key; None if there is none."""
    return getattr(table, "fixed", None if table.pattern else table)


def split_extension(local: str, delimiters: str, owner_request_special: bool = True) -> tuple[str, str]:
    """``user, +extension`` of a local part, at the first of the ``delimiters`` (recipient_delimiter); the extension is ""
    when there is none. Some names are never split: postmaster, mailer-daemon, double-bounce, and with ``-`` as a delimiter
    and owner_request_special also owner-list and list-request."""
    for char in delimiters:
        if char in local:
            break
    else:
        return local, ""
    lowered = local.lower()
    if lowered in ("postmaster", "mailer-daemon", "double-bounce"):
        return local, ""
    if owner_request_special and "-" in delimiters and (lowered.startswith("owner-") or lowered.endswith("-request")):
        return local, ""
    for at, char in enumerate(local):
        if char in delimiters:
            return (local[:at], local[at:]) if at else (local, "")
    return local, ""


def parent_keys(domain: str, plain: bool) -> Iterator[str]:
    """``.example.com``, ``.com`` for ``www.example.com``; with ``plain`` (parent_domain_matches_subdomains) no dots."""
    at = domain.find(".", 1)
    while at >= 0:
        yield domain[at + 1 :] if plain else domain[at:]
        at = domain.find(".", at + 1)


async def _ask(table: Any, key: str) -> str | None:
    """The key in its quoted form, then as it stands if that differs."""
    quoted = quote(key)
    value: str | None = await table.lookup(quoted)
    if value is None and quoted is not key and quoted != key:
        value = await table.lookup(key)
    return value


async def find_address(
    table: Any,
    address: str,
    delimiters: str = "",
    strategy: Find = Find.DEFAULT,
    is_local: IsLocal | None = None,
    owner_request_special: bool = True,
) -> Found | None:
    """Search for an address in internal form.

    :param delimiters: recipient_delimiter.
    :param is_local: tells whether a domain is one of ours: myorigin, mydestination, or an address literal of
        inet_interfaces or proxy_interfaces.
    """
    if not table:
        return None
    wanted = int(strategy)
    if wanted & _FULL:
        value = await _ask(table, address)
        if value is not None:
            return Found(value, "", address)
    table = fixed(table)
    if table is None:
        return None
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = address, ""
    user, extension = split_extension(local, delimiters, owner_request_special) if wanted & _NOEXT else (local, "")
    if extension:
        value = await _ask(table, user + at + domain)
        if value is not None:
            return Found(value, extension, user + at + domain)
    if wanted & (_LOCAL | _LOCAL_AT):
        local_domain = bool(at) and is_local is not None and await is_local(domain)
        found = await _find_local(table, local, user, extension, wanted) if local_domain else None
        if found is not None:
            return found
    if not at:
        return None
    return await _find_by_domain(table, local, user, extension, domain, wanted)


async def _find_local(table: Any, local: str, user: str, extension: str, wanted: int) -> Found | None:
    for flag, ending in ((_LOCAL, ""), (_LOCAL_AT, "@")):
        if wanted & flag:
            found = await _find_localpart(table, local, user, extension, ending)
            if found is not None:
                return found
    return None


async def _find_localpart(table: Any, local: str, user: str, extension: str, ending: str) -> Found | None:
    value = await _ask_local(table, local, ending)
    if value is not None:
        return Found(value, "", local + ending)
    if extension:
        value = await _ask_local(table, user, ending)
        if value is not None:
            return Found(value, extension, user + ending)
    return None


async def _ask_local(table: Any, name: str, ending: str) -> str | None:
    """A local part has quotes of its own when it needs them."""
    quoted = quote(name + "@x")[:-2]
    value: str | None = await table.lookup(quoted + ending)
    if value is None and quoted != name:
        value = await table.lookup(name + ending)
    return value


async def _find_by_domain(table: Any, local: str, user: str, extension: str, domain: str, wanted: int) -> Found | None:
    if wanted & _AT_DOMAIN:
        value = await table.lookup("@" + domain)
        if value is not None:
            return Found(value, "", "@" + domain)
    if wanted & _DOMAIN:
        keys = [domain]
        if wanted & (_PARENTS | _DOT_PARENTS):
            keys += parent_keys(domain, bool(wanted & _PARENTS))
        for key in keys:
            value = await table.lookup(key)
            if value is not None:
                return Found(value, "", key)
    if wanted & _LOCALPART_AT:
        return await _find_localpart(table, local, user, extension, "@")
    return None


async def find_domain(table: Any, domain: str, parents_plain: bool) -> Found | None:
    """A host or domain name and its parents (access(5) "HOST NAME/ADDRESS PATTERNS"): ``www.example.com``, then
    ``example.com``, ``com`` (``parents_plain``) or ``.example.com``, ``.com``."""
    value = await table.lookup(domain)
    if value is not None:
        return Found(value, "", domain)
    table = fixed(table)
    if table is None:
        return None
    for key in parent_keys(domain, parents_plain):
        value = await table.lookup(key)
        if value is not None:
            return Found(value, "", key)
    return None


async def find_host_address(table: Any, address: str) -> Found | None:
    """An IP address and the networks it belongs to, cut at its separators: ``192.0.2.1``, ``192.0.2``, ``192.0``,
    ``192``; ``2001:db8::1``, ``2001:db8:``, ``2001:db8``, ``2001``."""
    value = await table.lookup(address)
    if value is not None:
        return Found(value, "", address)
    table = fixed(table)
    if table is None:
        return None
    separator = ":" if ":" in address else "."
    key = address
    while (at := key.rfind(separator)) > 0:
        key = key[:at]
        value = await table.lookup(key)
        if value is not None:
            return Found(value, "", key)
    return None


_TRANSPORT_PLAIN = Find.FULL | Find.NOEXT | Find.DOMAIN | Find.PARENTS
_TRANSPORT_DOTTED = Find.FULL | Find.NOEXT | Find.DOMAIN | Find.DOT_PARENTS
_ACCESS_PLAIN = _TRANSPORT_PLAIN | Find.LOCALPART_AT
_ACCESS_DOTTED = _TRANSPORT_DOTTED | Find.LOCALPART_AT


async def find_mail_access(
    table: Any, address: str, parents_plain: bool, delimiters: str = "", owner_request_special: bool = True
) -> Found | None:
    """access(5) "EMAIL ADDRESS PATTERNS": ``user+ext@domain``, ``user@domain``, ``domain`` and its parents,
    ``user+ext@``, ``user@``."""
    strategy = _ACCESS_PLAIN if parents_plain else _ACCESS_DOTTED
    return await find_address(table, address, delimiters, strategy, None, owner_request_special)


async def find_transport(
    table: Any, address: str, parents_plain: bool, delimiters: str = "", owner_request_special: bool = True
) -> Found | None:
    """transport(5): ``user+ext@domain``, ``user@domain``, ``domain`` and its parents, ``*``."""
    strategy = _TRANSPORT_PLAIN if parents_plain else _TRANSPORT_DOTTED
    found = await find_address(table, address, delimiters, strategy, None, owner_request_special)
    if found is not None:
        return found
    value = await table.lookup("*")
    return None if value is None else Found(value, "", "*")
