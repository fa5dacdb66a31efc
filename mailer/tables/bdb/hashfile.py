"""A new Berkeley DB hash file from its entries.

The library grows a file bucket by bucket; here all entries are known, so the number of buckets is chosen first, and each
bucket gets its page, and more pages chained to it if one is not enough. Programs that use the library add to such a file
as to any other.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import reduce

from mailer.tables.bdb.page import HASH_MAGIC, HASH_META, HASH_PAGE, HEADER, PAGE_SIZE, header, meta, overflow_pages

__all__ = ["hash_image", "hashed"]

#: Octets from which on an item gets pages of its own.
_LARGE = PAGE_SIZE // 4
#: The hash of a fixed text by which the library finds out whether it hashes as the file's maker did.
_CHECK = b"%$sniglet^&\0"
_LONG = struct.Struct("<B3xII")
#: How full a bucket's page is on average, at most; buckets differ, and a second page costs each lookup a read.
_FULL = 0.7


def hashed(key: bytes) -> int:
    """Fowler, Noll and Vo's hash of 32 bits, from 0."""
    return reduce(_step, key, 0)


def _step(value: int, octet: int) -> int:
    return value * 16777619 & 0xFFFFFFFF ^ octet


def hash_image(entries: Mapping[bytes, bytes]) -> list[bytes]:
    """The pages of the file."""
    buckets = _buckets(entries)
    chains: list[list[bytes]] = [[] for _ in range(buckets)]
    for key in entries:
        chains[hashed(key) & (buckets - 1)].append(key)
    pages = _Pages(buckets)
    for bucket, keys in enumerate(chains):
        pages.fill(bucket + 1, sorted(keys), entries)
    return [_meta(buckets, len(entries), len(pages.pages)), *pages.pages]


def _buckets(entries: Mapping[bytes, bytes]) -> int:
    """A power of two."""
    octets = sum(6 + min(len(key), _LARGE) + min(len(value), _LARGE) for key, value in entries.items())
    wanted = int(octets / ((PAGE_SIZE - HEADER) * _FULL)) + 1
    return max(2, 1 << (wanted - 1).bit_length())


def _meta(buckets: int, count: int, last: int) -> bytes:
    # Bucket n is page n + 1, however often their number has doubled; the same difference for each doubling.
    doublings = buckets.bit_length()
    spares = [1] * doublings + [0] * (32 - doublings)
    rest = struct.pack("<IIIIII", buckets - 1, buckets - 1, (buckets >> 1) - 1, 0, count, hashed(_CHECK))
    return meta(HASH_MAGIC, HASH_META, last, rest + struct.pack("<32I", *spares))


class _Pages:
    """Pages from 1 on: first one for each bucket, then what did not fit there."""

    def __init__(self, buckets: int) -> None:
        self.pages: list[bytes] = [b""] * buckets

    def fill(self, number: int, keys: list[bytes], entries: Mapping[bytes, bytes]) -> None:
        """A bucket, with its keys in order: on each page they are searched by halving."""
        previous = 0
        starts: list[int] = []
        items: list[bytes] = []
        end = PAGE_SIZE
        for key in keys:
            pair = self._item(key), self._item(entries[key])
            if end - len(pair[0]) - len(pair[1]) < HEADER + 2 * (len(starts) + 2):
                following = self._new()
                self._put(number, previous, following, starts, items, end)
                previous, number, starts, items, end = number, following, [], [], PAGE_SIZE
            for item in pair:
                end -= len(item)
                starts.append(end)
                items.append(item)
        self._put(number, previous, 0, starts, items, end)

    def _new(self) -> int:
        self.pages.append(b"")
        return len(self.pages)

    def _put(self, number: int, previous: int, following: int, starts: list[int], items: list[bytes], end: int) -> None:
        head = header(number, previous, following, len(starts), end, 0, HASH_PAGE)
        index = struct.pack(f"<{len(starts)}H", *starts)
        body = b"".join(reversed(items))
        self.pages[number - 1] = (head + index).ljust(PAGE_SIZE - len(body), b"\0") + body

    def _item(self, data: bytes) -> bytes:
        if len(data) <= _LARGE:
            return b"\x01" + data
        first = len(self.pages) + 1
        self.pages += overflow_pages(data, first)
        return _LONG.pack(3, first, len(data))
