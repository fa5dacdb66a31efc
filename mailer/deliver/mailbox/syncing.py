"""fsync of directories, shared: who asks while one is under way waits for the next, which covers all who wait.

A maildir that receives many messages at once needs a few of these instead of one for each message. Nobody is told "done"
by an fsync that began before he asked.
"""

from __future__ import annotations

import errno
import os
from threading import Condition, Lock

__all__ = ["DirectorySyncs"]


class _Rounds:
    """The fsyncs of one directory, counted: ``begun`` and ``done``."""

    __slots__ = ("begun", "changed", "done", "running", "users")

    def __init__(self) -> None:
        self.changed = Condition()
        self.begun = 0
        self.done = 0
        self.running = False
        self.users = 0


class DirectorySyncs:
    """For all threads of a process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rounds: dict[str, _Rounds] = {}

    def sync(self, path: str) -> None:
        """Return when all that was changed in the directory before this call is on the disk. :raise OSError:"""
        with self._lock:
            rounds = self._rounds.setdefault(path, _Rounds())
            rounds.users += 1
        try:
            self._take_part(rounds, path)
        finally:
            with self._lock:
                rounds.users -= 1
                if not rounds.users:
                    del self._rounds[path]

    @staticmethod
    def _take_part(rounds: _Rounds, path: str) -> None:
        with rounds.changed:
            wanted = rounds.begun + 1
            while rounds.running:
                rounds.changed.wait()
                if rounds.done >= wanted:
                    return
            rounds.running = True
            rounds.begun += 1
            mine = rounds.begun
        finished = False
        try:
            sync_directory(path)
            finished = True
        finally:
            # After a failure those who wait try for themselves.
            with rounds.changed:
                rounds.running = False
                if finished:
                    rounds.done = mine
                rounds.changed.notify_all()


def sync_directory(path: str) -> None:
    """fsync a directory. File systems that know no such thing say EINVAL, and need none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)
