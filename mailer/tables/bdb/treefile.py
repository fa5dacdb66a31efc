"""A new Berkeley DB btree file from its entries.

All entries are known, so the tree is built from its leaves upwards, each page filled as far as it goes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from mailer.tables.bdb.page import (
    BTREE_LEAF,
    BTREE_MAGIC,
    BTREE_META,
    BTREE_NODE,
    HEADER,
    PAGE_SIZE,
    header,
    meta,
    overflow_pages,
)

__all__ = ["tree_image"]

#: Octets from which on an item gets pages of its own: at least two entries fit on a page whatever they are.
_LARGE = (PAGE_SIZE - HEADER) // 4 - 16
_LONG = struct.Struct("<HBBII")
_ROOT = 1
#: A branch in a node: page, number of records (unused), key.
_BRANCH = struct.Struct("<HBBII")


def tree_image(entries: Mapping[bytes, bytes]) -> list[bytes]:
    """The pages of the file."""
    tree = _Tree()
    row = tree.leaves(entries)
    level = 1
    while len(row) > 1:
        row = tree.nodes(row, level := level + 1)
    rest = struct.pack("<IIIII", 0, 2, 0, 0x20, _ROOT)
    return [meta(BTREE_MAGIC, BTREE_META, len(tree.pages), rest), *tree.pages]


class _Page:
    """A page being filled; items go from its end to its beginning, each at a multiple of four. It has its number once its
    row is complete. ``first`` is the first key that is found here or below."""

    def __init__(self, level: int, kind: int, first: bytes) -> None:
        self.number = self.previous = self.following = 0
        self.first = first
        self._level = level
        self._kind = kind
        self._starts: list[int] = []
        self._items: list[bytes] = []
        self._end = PAGE_SIZE

    def fits(self, *items: bytes) -> bool:
        return self._end - sum(_aligned(item) for item in items) >= HEADER + 2 * (len(self._starts) + len(items))

    def add(self, item: bytes) -> None:
        self._end -= _aligned(item)
        self._starts.append(self._end)
        self._items.append(item.ljust(_aligned(item), b"\0"))

    def octets(self) -> bytes:
        head = header(self.number, self.previous, self.following, len(self._starts), self._end, self._level, self._kind)
        index = struct.pack(f"<{len(self._starts)}H", *self._starts)
        return (head + index).ljust(self._end, b"\0") + b"".join(reversed(self._items))


def _aligned(item: bytes) -> int:
    return len(item) + 3 & ~3


class _Tree:
    """Pages from 1 on. Page 1 is the root."""

    def __init__(self) -> None:
        self.pages: list[bytes] = [b""]

    def leaves(self, entries: Mapping[bytes, bytes]) -> list[_Page]:
        """The lowest row, its pages chained in the order of keys."""
        row = [_Page(1, BTREE_LEAF, b"")]
        for key in sorted(entries):
            pair = self._item(key), self._item(entries[key])
            if not row[-1].fits(*pair):
                row.append(_Page(1, BTREE_LEAF, key))
            for item in pair:
                row[-1].add(item)
        self._number(row)
        for page, following in zip(row, row[1:], strict=False):
            page.following, following.previous = following.number, page.number
        return self._written(row)

    def nodes(self, below: list[_Page], level: int) -> list[_Page]:
        """The row above ``below``: for each of its pages the first key there."""
        row = [_Page(level, BTREE_NODE, below[0].first)]
        for page in below:
            branch = self._branch(page)
            if not row[-1].fits(branch):
                row.append(_Page(level, BTREE_NODE, page.first))
            row[-1].add(branch)
        self._number(row)
        return self._written(row)

    def _number(self, row: list[_Page]) -> None:
        """A row of one page is the root."""
        if len(row) == 1:
            row[0].number = _ROOT
            return
        for page in row:
            self.pages.append(b"")
            page.number = len(self.pages)

    def _written(self, row: list[_Page]) -> list[_Page]:
        for page in row:
            self.pages[page.number - 1] = page.octets()
        return row

    def _item(self, data: bytes) -> bytes:
        if len(data) <= _LARGE:
            return struct.pack("<HB", len(data), 1) + data
        return _LONG.pack(0, 3, 0, *self._long(data))

    def _branch(self, page: _Page) -> bytes:
        if len(page.first) <= _LARGE:
            return _BRANCH.pack(len(page.first), 1, 0, page.number, 0) + page.first
        return _BRANCH.pack(12, 3, 0, page.number, 0) + _LONG.pack(0, 3, 0, *self._long(page.first))

    def _long(self, data: bytes) -> tuple[int, int]:
        """Where an item on pages of its own begins, and its length."""
        first = len(self.pages) + 1
        self.pages += overflow_pages(data, first)
        return first, len(data)
