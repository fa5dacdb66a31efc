"""A message's content, wherever it lies: in memory, in its row, in its file.

`Contents` chooses, and keeps what active entries hold in memory within a budget. All three give 64 KiB pieces. Reading a
file tries without blocking first (preadv with RWF_NOWAIT: a message that has just arrived is in the page cache, and a thread
costs more than the copy) and falls back to a thread.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from zope.interface import implementer

from mailer.interfaces.queue import IContent
from mailer.message.status import TemporaryError
from mailer.queue.layout import Layout
from mailer.queue.reading import content_of

__all__ = ["Contents", "FileContent", "InlineContent", "RowContent"]

_PIECE = 65536
_NOWAIT = getattr(os, "RWF_NOWAIT", 0)


@implementer(IContent)
class InlineContent:
    """Content at hand."""

    __slots__ = ("inline", "size")
    filed = False

    def __init__(self, content: bytes) -> None:
        self.inline = content
        self.size = len(content)

    async def chunks(self, start: int = 0) -> AsyncIterator[bytes]:
        if not start and self.size <= _PIECE:
            yield self.inline
            return
        for offset in range(start, self.size, _PIECE):
            yield self.inline[offset : offset + _PIECE]


@implementer(IContent)
class RowContent:
    """Small content that is not kept in memory: read from its row each time.

    :param read: gives the content, or raises TemporaryError.
    """

    __slots__ = ("_read", "size")
    inline = None
    filed = False

    def __init__(self, size: int, read: Callable[[], Awaitable[bytes]]) -> None:
        self.size = size
        self._read = read

    async def chunks(self, start: int = 0) -> AsyncIterator[bytes]:
        content = await self._read()
        for offset in range(start, len(content), _PIECE):
            yield content[offset : offset + _PIECE]


@implementer(IContent)
class FileContent:
    """Content in a file.

    :param in_thread: ``await in_thread(function, *arguments)`` runs it where it may block.
    """

    __slots__ = ("_in_thread", "_path", "size")
    inline = None
    filed = True

    def __init__(self, path: str, size: int, in_thread: Callable[..., Awaitable[Any]]) -> None:
        self.size = size
        self._path = path
        self._in_thread = in_thread

    async def chunks(self, start: int = 0) -> AsyncIterator[bytes]:
        descriptor = await self._guard(self._in_thread(os.open, self._path, os.O_RDONLY | os.O_CLOEXEC))
        try:
            offset = start
            while offset < self.size:
                piece = _read_cached(descriptor, offset)
                if piece is None:
                    piece = await self._guard(self._in_thread(os.pread, descriptor, _PIECE, offset))
                if not piece:
                    raise TemporaryError(
                        f"{self._path} ends at {offset} of {self.size} octets", text="queue file read error"
                    )
                offset += len(piece)
                yield piece
        finally:
            os.close(descriptor)

    async def _guard(self, reading: Awaitable[Any]) -> Any:
        try:
            return await reading
        except OSError as error:
            raise TemporaryError(f"{self._path}: {error.strerror}", text="queue file read error") from error


def _read_cached(descriptor: int, offset: int) -> bytes | None:
    """A piece if the kernel has it in memory, else None."""
    if not _NOWAIT:
        return None
    buffer = bytearray(_PIECE)
    try:
        length = os.preadv(descriptor, [buffer], offset, _NOWAIT)
    except OSError:  # not in memory, or a file system that cannot say: the thread tells what is wrong, if anything is
        return None
    return bytes(memoryview(buffer)[:length]) if length else None


class Contents:
    """Makes contents for entries.

    :param database: mailer.queue.database.Database. :param budget: octets that may be in memory in all.
    """

    def __init__(self, layout: Layout, database: Any, budget: int) -> None:
        self._layout = layout
        self._database = database
        self.left = budget

    def of_file(self, queue_id: str, octets: int) -> FileContent:
        return FileContent(self._layout.content_file(queue_id), octets, self._database.in_thread)

    def of_row(self, number: int, octets: int, data: bytes | None) -> InlineContent | RowContent:
        """Kept in memory (until ``released``) if ``data`` is at hand and fits into the budget."""
        if data is not None and octets <= self.left:
            self.left -= octets
            return InlineContent(data)
        return RowContent(octets, partial(self._read, number))

    def released(self, content: Any) -> None:
        """The entry has gone."""
        if content.inline is not None:
            self.left += content.size

    async def _read(self, number: int) -> bytes:
        try:
            data = await self._database.read(content_of, number)
        except sqlite3.Error as error:
            raise TemporaryError(f"mail queue: {error}", text="queue file read error") from error
        if data is None:
            raise TemporaryError("the message has gone from the queue", text="queue file read error")
        return bytes(data)
