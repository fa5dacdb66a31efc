"""Whether files have changed since they were last looked at; looked at no more than once a second."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

__all__ = ["WatchedFiles"]

_INTERVAL = 1.0


class WatchedFiles:
    """:param seconds: a clock that only goes forward.

    A file that changed is told of once; one that is out of reach has not changed (rights may have been given up since). While
    files are being replaced one after the other (certificate, then key), the look after the last change tells of it, too.
    """

    def __init__(self, paths: Iterable[str], seconds: Callable[[], float]) -> None:
        self._paths = tuple(paths)
        self._seconds = seconds
        self._next = seconds() + _INTERVAL
        self._seen: list[tuple[int, ...] | None] = []
        self._seen = self._look()

    def changed(self) -> bool:
        if self._seconds() < self._next:
            return False
        self._next = self._seconds() + _INTERVAL
        seen, self._seen = self._seen, self._look()
        return seen != self._seen

    def _look(self) -> list[tuple[int, ...] | None]:
        return [self._stamp(path, at) for at, path in enumerate(self._paths)]

    def _stamp(self, path: str, at: int) -> tuple[int, ...] | None:
        try:
            status = os.stat(path)
        except OSError:
            status = None
        if status is None or not os.access(path, os.R_OK):
            return self._seen[at] if self._seen else None
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
