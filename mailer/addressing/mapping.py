"""Replace addresses by what tables say: canonical(5), virtual(5), generic(5), and the copies that *_bcc_maps ask for.

A table's value is an address list as a person writes it; the addresses found in it are completed by the local rules and
receive the extension that the key did not cover, where propagate_unmatched_extensions says so.
"""

from __future__ import annotations

from typing import Any

from mailer.addressing.lookup import AddressMap, Search
from mailer.addressing.rewriting import Completion
from mailer.message.address import fold
from mailer.message.mailboxes import parse
from mailer.message.status import TemporaryError

__all__ = ["EXPANSION_ERROR", "Mapper", "append_extension"]

_CANONICAL_LIMIT = 10
#: header_address_token_limit is for what strangers write; a table's list has to be read to its end.
_MOST_TOKENS = 100_000_000
_REFUSED = "message not accepted, try again later"
#: The enhanced code of an expansion that hit a limit.
EXPANSION_ERROR = "4.6.0"


def append_extension(address: str, extension: str) -> str:
    """``user`` + ``+ext`` + ``@domain``."""
    local, at, domain = address.rpartition("@")
    return f"{local}{extension}@{domain}" if at else address + extension


class Mapper:
    """The address tables of one service.

    :param completion: the local rewriting rules, for addresses that tables give.
    """

    def __init__(self, settings: Any, tables: Any, search: Search, completion: Completion, log: Any) -> None:
        self._completion = completion
        self._search = search
        self._log = log
        self._tables = tables
        propagate = settings.propagate_unmatched_extensions
        self._propagate_canonical = "canonical" in propagate
        self._propagate_virtual = "virtual" in propagate
        self._propagate_generic = "generic" in propagate
        self.recipient_canonical = self.open(settings.recipient_canonical_maps, "recipient_canonical_maps")
        self.sender_canonical = self.open(settings.sender_canonical_maps, "sender_canonical_maps")
        self.canonical_all = self.open(settings.canonical_maps, "canonical_maps")
        self.virtual_aliases = self.open(settings.virtual_alias_maps, "virtual_alias_maps")
        self.sender_bcc = self.open(settings.sender_bcc_maps, "sender_bcc_maps")
        self.recipient_bcc = self.open(settings.recipient_bcc_maps, "recipient_bcc_maps")
        self._recursion_limit = settings.virtual_alias_recursion_limit
        self._expansion_limit = settings.virtual_alias_expansion_limit
        self._length_limit = settings.virtual_alias_address_length_limit

    def open(self, specs: Any, title: str) -> AddressMap:
        """The tables of another parameter, searched in the same order (smtp_generic_maps, say)."""
        return AddressMap(specs, self._tables, self._search, title)

    async def map(self, maps: AddressMap, address: str, propagate: bool) -> list[str] | None:
        """What the tables put in the address's place; None when they do not know it. :raise TemporaryError:"""
        found = await maps.find_extended(address)
        if found is None:
            return None
        value, extension = found
        if value.startswith("@"):
            value = f"{_local(address)}{value}"
            return [self._completion.rewrite(value)]
        results = []
        for result in parse(value, _MOST_TOKENS).addresses:
            self._completion.rewrite_header(result)
            results.append(append_extension(result.internal, extension) if propagate and extension else result.internal)
        return results

    async def canonical(self, maps: AddressMap, address: str, queue_id: str) -> str:
        """One of the canonical maps, applied until nothing changes. :raise TemporaryError: a table cannot tell now."""
        for _ in range(_CANONICAL_LIMIT):
            try:
                results = await self.map(maps, address, self._propagate_canonical)
            except TemporaryError:
                self._problem(maps, address, queue_id)
                raise
            if not results:
                return address
            if len(results) > 1:
                self._log.warning(f"{queue_id}: multi-valued {maps.title} entry for {address}")
            before, address = address, results[0]
            if fold(before) == fold(address):
                return address
        self._log.warning(f"{queue_id}: unreasonable {maps.title} map nesting for {address} -- {_REFUSED}")
        return address

    async def generic(self, maps: AddressMap, address: str) -> str:
        """The outside form of an address (smtp_generic_maps), looked up once."""
        results = await self.map(maps, address, self._propagate_generic)
        return results[0] if results else address

    async def virtual(self, address: str, queue_id: str = "") -> list[str]:
        """virtual_alias_maps, applied to the address and to all that comes of it.

        :raise TemporaryError: a limit was hit or a table cannot tell now; the reason is in the log.
        """
        maps = self.virtual_aliases
        if not maps:
            return [address]
        expanded = [address]
        final: set[str] = set()
        index = 0
        while index < len(expanded):
            if len(expanded) > self._expansion_limit:
                raise self._unreasonable(f"map expansion size for {address}", queue_id)
            await self._expand_one(maps, address, expanded, index, final, queue_id)
            index += 1
        return expanded

    async def _expand_one(
        self, maps: AddressMap, whole: str, expanded: list[str], index: int, final: set[str], queue_id: str
    ) -> None:
        """Replace one address by its expansion until it has none; further results go to the end of the list.

        :param whole: the address with which it all began, for the log."""
        steps = 0
        while (address := expanded[index]) and (key := fold(address)) not in final:
            if steps >= self._recursion_limit:
                raise self._unreasonable(f"map nesting for {whole}", queue_id)
            steps += 1
            try:
                results = await self.map(maps, address, self._propagate_virtual)
            except TemporaryError:
                self._problem(maps, whole, queue_id)
                raise
            if not results:
                return
            for result in results:
                if len(result) > self._length_limit:
                    raise self._unreasonable(f"result {result[:300]}...", queue_id)
            if any(fold(result) == key for result in results):
                final.add(key)  # an alias that names itself means its own mailbox, too
            expanded[index] = results[0]
            expanded.extend(results[1:])

    def _unreasonable(self, what: str, queue_id: str) -> TemporaryError:
        text = f"unreasonable virtual_alias_maps {what} -- {_REFUSED}"
        self._log.warning(f"{queue_id}: {text}" if queue_id else text)
        return TemporaryError(text, EXPANSION_ERROR, "Alias expansion error")

    def _problem(self, maps: AddressMap, address: str, queue_id: str) -> None:
        text = f"{maps.title} map lookup problem for {address} -- {_REFUSED}"
        self._log.warning(f"{queue_id}: {text}" if queue_id else text)


def _local(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return local if at else domain
