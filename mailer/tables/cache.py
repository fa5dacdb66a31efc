"""Caches that outlive a restart: address_verify_map, postscreen_cache_map (postconf(5)).

All entries are in memory, read once at the start; changes are written behind, in batches, in a thread. A file that cannot
be used costs a warning and what it would have remembered, never mail.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.threads import deferToThreadPool

from mailer.config.errors import ConfigError
from mailer.tables.cachefile import CacheFile, open_file

__all__ = ["Cache"]

#: Seconds for which changes are collected.
_DELAY = 1.0
#: Entries in memory at most: about 100 MB. The file keeps what was written.
_MOST = 500_000
_CLEANED = "_LAST_CACHE_CLEANUP_COMPLETED_"


class Cache:
    """Values by key, both str.

    :param spec: ``type:path`` or "" (memory only). :param name: how the log names a cache that has no file.
    :param shared: other processes write the same file, so what is not in memory is looked for there.
    """

    def __init__(self, spec: str, context: Any, name: str, shared: bool = False) -> None:
        self.name = spec or f"internal:{name}"
        self._context = context
        self._log = context.log
        self._reactor = context.reactor
        self._entries: dict[str, str] = {}
        self._changes: dict[str, str | None] = {}
        self._call: Any = None
        self._lock = threading.Lock()
        self._shared = shared
        self._file: CacheFile | None = None
        try:
            self._file = open_file(spec, context)
            if self._file is not None:
                self._entries.update(self._file.load())
        except (OSError, sqlite3.Error, ConfigError, ImportError) as error:
            self._file = None
            self._log.warning(f"{self.name}: {error}; going on with an empty cache in memory")

    def __len__(self) -> int:
        return len(self._entries) - (_CLEANED in self._entries)

    def get(self, key: str) -> str | None:
        """What this process knows."""
        return self._entries.get(key)

    async def find(self, key: str) -> str | None:
        """What any process knows."""
        value = self._entries.get(key)
        if value is not None or self._file is None or not self._shared or key in self._changes:
            return value
        reactor = self._reactor
        try:
            value = await deferToThreadPool(reactor, reactor.getThreadPool(), self._find, self._file, key)
        except (OSError, sqlite3.Error) as error:
            self._log.warning(f"{self.name}: {error}")
            return None
        if value is not None:
            self._entries.setdefault(key, value)
        return value

    def _find(self, file: CacheFile, key: str) -> str | None:
        with self._lock:
            return file.find(key)

    def put(self, key: str, value: str) -> None:
        if len(self._entries) >= _MOST and key not in self._entries:
            del self._entries[next(iter(self._entries))]  # the oldest in memory
        self._entries[key] = value
        self._note(key, value)

    def delete(self, key: str) -> None:
        if self._entries.pop(key, None) is not None:
            self._note(key, None)

    def _note(self, key: str, value: str | None) -> None:
        if self._file is not None:
            self._changes[key] = value
            if self._call is None:
                self._call = self._reactor.callLater(_DELAY, self._write)

    def clean_if_due(self, now: float, interval: float, keep: Callable[[str], bool]) -> None:
        """Forget what is not worth keeping, if that was not done within the ``interval`` (seconds; 0: never do it).

        :param keep: given a value.
        """
        done = self._entries.get(_CLEANED, "")
        if not interval or (done.isdecimal() and int(done) + interval > now):
            return
        dropped = [key for key, value in self._entries.items() if key != _CLEANED and not keep(value)]
        for key in dropped:
            self.delete(key)
        self._log.info(f"cache {self.name} full cleanup: retained={len(self)} dropped={len(dropped)} entries")
        self.put(_CLEANED, str(int(now)))

    def _write(self) -> None:
        self._call = None
        changes, self._changes = self._changes, {}
        if changes and self._file is not None:
            reactor = self._reactor
            writing = deferToThreadPool(reactor, reactor.getThreadPool(), self._save, self._file, changes)
            writing.addErrback(self._not_written)

    def _save(self, file: CacheFile, changes: dict[str, str | None]) -> None:
        with self._lock:
            file.write(changes.items())

    def _not_written(self, failure: Any) -> None:
        failure.trap(OSError, sqlite3.Error, ConfigError)
        self._log.warning(f"{self.name}: cannot be written: {failure.getErrorMessage()}")

    def close(self) -> None:
        """Write what is still to be written, now, and let go of the file."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        changes, self._changes = self._changes, {}
        file, self._file = self._file, None
        if file is None:
            return
        try:
            with self._lock:
                if changes:
                    file.write(changes.items())
                file.close()
        except (OSError, sqlite3.Error, ConfigError) as error:
            self._log.warning(f"{self.name}: cannot be written: {error}")
