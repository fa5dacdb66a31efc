"""How Berkeley DB files are laid out: the numbers and structures that the reader and the two writers share.

A file is a row of pages of one size, page 0 being the description of the file ("meta page"). The layout is that of Berkeley
DB 4.x to 5.3 (hash and btree version 9, which reads 8 and older as well as far as Postfix makes them): no transactions, no
checksums, no encryption, one database in a file. Multi-octet numbers are in the byte order of the machine that wrote the
file; the magic number tells which.
"""

from __future__ import annotations

import os
import struct

__all__ = [
    "BTREE_LEAF",
    "BTREE_MAGIC",
    "BTREE_NODE",
    "HASH_MAGIC",
    "HASH_PAGE",
    "HASH_UNSORTED",
    "HEADER",
    "META_SIZE",
    "OVERFLOW",
    "PAGE_SIZE",
    "header",
    "meta",
    "overflow_pages",
]

HASH_MAGIC = 0x00061561
BTREE_MAGIC = 0x00053162
VERSION = 9
#: What new files have. Real ones have the file system's block size, which is the same nearly everywhere.
PAGE_SIZE = 4096

# Kinds of pages.
HASH_UNSORTED = 2
BTREE_NODE = 3
BTREE_LEAF = 5
OVERFLOW = 7
HASH_META = 8
BTREE_META = 9
HASH_PAGE = 13

#: Octets of a page's header, before the table of where its items begin.
HEADER = 26
META_SIZE = 512
#: lsn (2), number, previous, next, entries, start of the items, level, kind.
_PAGE = struct.Struct("<IIIIIHHBB")
#: lsn (2), number, magic, version, page size, encryption, kind, flags, -, free list, last page, parts, keys, records,
#: flags, identity of the file.
_META = struct.Struct("<IIIIIIBBBBIIIIII20s")
#: "Not logged": what stands in place of a log position in files without transactions.
_LSN = (0, 1)


def header(number: int, previous: int, following: int, entries: int, start: int, level: int, kind: int) -> bytes:
    """The first octets of a page."""
    return _PAGE.pack(*_LSN, number, previous, following, entries, start, level, kind)


def meta(magic: int, kind: int, last: int, rest: bytes) -> bytes:
    """Page 0. ``rest`` is what the kind of database adds."""
    identity = os.urandom(20)
    common = _META.pack(*_LSN, 0, magic, VERSION, PAGE_SIZE, 0, kind, 0, 0, 0, last, 0, 0, 0, 0, identity)
    return (common + rest).ljust(PAGE_SIZE, b"\0")


def overflow_pages(data: bytes, first: int) -> list[bytes]:
    """An item too large for a page: a chain of pages of its own, numbered from ``first``."""
    room = PAGE_SIZE - HEADER
    pieces = [data[at : at + room] for at in range(0, len(data), room)]
    pages = []
    for at, piece in enumerate(pieces):
        previous = first + at - 1 if at else 0
        following = first + at + 1 if at + 1 < len(pieces) else 0
        # In place of "entries" stands how often the item is used, in place of "start" the octets on this page.
        head = header(first + at, previous, following, 1, len(piece), 0, OVERFLOW)
        pages.append((head + piece).ljust(PAGE_SIZE, b"\0"))
    return pages
