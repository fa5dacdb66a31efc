"""All entries of a Berkeley DB file, in the order in which the library's cursors give them.

The file comes as octets that were read under its lock. What contradicts the format raises ValueError; no walk is longer
than the file has pages, so a damaged file cannot make it go round in circles.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from mailer.tables.bdb.page import (
    BTREE_LEAF,
    BTREE_MAGIC,
    BTREE_NODE,
    HASH_MAGIC,
    HASH_PAGE,
    HASH_UNSORTED,
    HEADER,
    META_SIZE,
    OVERFLOW,
)

__all__ = ["entries"]

_KEY_DATA, _OFF_PAGE = 1, 3
_NAMES = {2: "duplicate", 4: "duplicate"}
_DELETED = 0x80


def entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """``key, value`` of each entry. :raise ValueError: what is wrong with the file."""
    file = _File(data)
    try:
        yield from file.hashed() if file.magic == HASH_MAGIC else file.sorted()
    except (struct.error, IndexError) as error:
        raise ValueError("the file ends too soon") from error


class _File:
    """A file in memory."""

    def __init__(self, data: bytes) -> None:
        if len(data) < META_SIZE:
            raise ValueError("not a Berkeley DB file")
        for order in "<", ">":
            magic, version, size, encryption, _, flags = struct.unpack_from(f"{order}IIIBBB", data, 12)
            if magic in (HASH_MAGIC, BTREE_MAGIC):
                break
        else:
            raise ValueError("not a Berkeley DB file")
        if version not in (7, 8, 9, 10):
            raise ValueError(f"Berkeley DB file of version {version}, which nobody uses with Postfix")
        if encryption or flags & 1:
            raise ValueError("the Berkeley DB file is encrypted or has checksums")
        if size < META_SIZE or size & (size - 1) or size > 65536:
            raise ValueError(f"the Berkeley DB file claims pages of {size} octets")
        self.magic = magic
        self._data = data
        self._order = order
        self._size = size
        self._pages = len(data) // size
        self._head = struct.Struct(f"{order}IIHHBB")  # previous, next, entries, start, level, kind; from octet 12
        self._long = struct.Struct(f"{order}II")  # page, length; of an item kept on pages of its own
        self._longs = 0  # pages of long items seen so far

    def _begin(self, number: int) -> tuple[int, int, int, int, int, int]:
        """Where a page begins, and its next page, entries, start or length, level and kind."""
        if number >= self._pages:
            raise ValueError(f"page {number} is beyond the end of the file")
        begin = number * self._size
        _, following, count, start, level, kind = self._head.unpack_from(self._data, begin + 12)
        return begin, following, count, start, level, kind

    def _starts(self, begin: int, count: int) -> tuple[int, ...]:
        """Where the items of a page begin, relative to it."""
        if HEADER + 2 * count > self._size:
            raise ValueError(f"page {begin // self._size} has {count} items, more than it can hold")
        return struct.unpack_from(f"{self._order}{count}H", self._data, begin + HEADER)

    def _long_item(self, place: int) -> bytes:
        """An item on a chain of pages; ``place`` is where its number and length stand."""
        number, length = self._long.unpack_from(self._data, place)
        pieces = []
        while number:
            begin, following, _, part, _, kind = self._begin(number)
            self._longs += 1
            if kind != OVERFLOW or part > self._size - HEADER or self._longs > self._pages:
                raise ValueError(f"page {number} is not the part of an item that it should be")
            pieces.append(self._data[begin + HEADER : begin + HEADER + part])
            number = following
        item = b"".join(pieces)
        if len(item) != length:
            raise ValueError(f"an item has {len(item)} octets, not {length}")
        return item

    # -- hash

    def hashed(self) -> Iterator[tuple[bytes, bytes]]:
        """Each bucket is a chain of pages; the first page of a bucket follows from its number."""
        last_bucket = struct.unpack_from(f"{self._order}I", self._data, 72)[0]
        spares = struct.unpack_from(f"{self._order}32I", self._data, 96)
        if last_bucket >= self._pages:
            raise ValueError(f"the file claims {last_bucket} buckets")
        seen = 0
        for bucket in range(last_bucket + 1):
            number = bucket + spares[bucket.bit_length()]
            while number:
                seen += 1
                begin, following, count, _, _, kind = self._begin(number)
                if seen > self._pages or (kind not in (HASH_PAGE, HASH_UNSORTED) and (kind or count)):
                    raise ValueError(f"page {number} is not the bucket that it should be")
                yield from self._pairs(begin, count, self._hash_item, self._size)
                number = following

    def _pairs(
        self, begin: int, count: int, item: Callable[[int, int], bytes], end: int
    ) -> Iterator[tuple[bytes, bytes]]:
        """Items go from the end of the page to its beginning: key, value, key, value."""
        starts = self._starts(begin, count)
        for at in range(0, count - 1, 2):
            middle, start = starts[at], starts[at + 1]
            if not HEADER <= start < middle < end <= self._size:
                raise ValueError(f"page {begin // self._size} has items in no order")
            yield item(begin + middle, begin + end), item(begin + start, begin + middle)
            end = start

    def _hash_item(self, start: int, end: int) -> bytes:
        kind = self._data[start]
        if kind == _KEY_DATA:
            return self._data[start + 1 : end]
        if kind == _OFF_PAGE:
            return self._long_item(start + 4)
        raise ValueError(f"the file has {_NAMES.get(kind, 'unknown')} entries, which postmap never makes")

    # -- tree

    def sorted(self) -> Iterator[tuple[bytes, bytes]]:
        """The leaves are chained; the first one is where the leftmost branches lead."""
        number = struct.unpack_from(f"{self._order}I", self._data, 88)[0]
        for _ in range(self._pages):
            begin, following, count, _, _, kind = self._begin(number)
            if kind != BTREE_NODE:
                break
            number = struct.unpack_from(f"{self._order}I", self._data, begin + self._starts(begin, count)[0] + 4)[0]
        seen = 0
        while number:
            seen += 1
            begin, following, count, _, _, kind = self._begin(number)
            if kind != BTREE_LEAF or seen > self._pages:
                raise ValueError(f"page {number} is not the leaf that it should be")
            starts = self._starts(begin, count)
            for at in range(0, count - 1, 2):
                key, value = starts[at], starts[at + 1]
                if not (self._data[begin + key + 2] | self._data[begin + value + 2]) & _DELETED:
                    yield self._tree_item(begin, key), self._tree_item(begin, value)
            number = following

    def _tree_item(self, begin: int, start: int) -> bytes:
        length, kind = struct.unpack_from(f"{self._order}HB", self._data, begin + start)
        if kind == _KEY_DATA:
            if start + 3 + length > self._size:
                raise ValueError(f"an item goes beyond page {begin // self._size}")
            return self._data[begin + start + 3 : begin + start + 3 + length]
        if kind == _OFF_PAGE:
            return self._long_item(begin + start + 4)
        raise ValueError(f"the file has {_NAMES.get(kind, 'unknown')} entries, which postmap never makes")
