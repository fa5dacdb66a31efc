"""Questions that may take long (listing, content, claimed messages) are answered beside the writer, on I/O threads.

Write-ahead logging lets readers see the last commit without waiting for the writer, or it for them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from mailer.queue.schema import connect

__all__ = ["Reader"]

_KEEP = 4


class Reader:
    """Lends read-only connections to functions that run in a thread.

    :param in_thread: ``await in_thread(function, *arguments)`` runs it where it may block.
    """

    def __init__(self, path: str, in_thread: Callable[..., Any]) -> None:
        self._path = path
        self._in_thread = in_thread
        self._free: list[sqlite3.Connection] = []

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """:return: ``function(connection, *arguments)``. :raise sqlite3.Error:"""
        return await self._in_thread(self._lend, function, arguments)

    def _lend(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        try:
            connection = self._free.pop()  # list.pop and append are atomic
        except IndexError:
            connection = connect(self._path, readonly=True)
        try:
            result = function(connection, *arguments)
        except BaseException:
            connection.close()
            raise
        if len(self._free) < _KEEP:
            self._free.append(connection)
        else:
            connection.close()
        return result

    def close(self) -> None:
        """Close the connections; none is lent out any more."""
        while self._free:
            self._free.pop().close()
