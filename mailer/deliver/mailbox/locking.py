"""Locks on mbox files (mailbox_delivery_lock): fcntl, flock, dotlock, and one of our own between threads.

The kernel forgets a process's fcntl locks on a file whenever the process closes any descriptor of that file, and does not
keep threads apart at all; so whoever works on a path in this process does so alone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from threading import Lock

from mailer.deliver.mailbox.deposit import Deposit, WriteFailure

__all__ = ["PathLocks", "dotlock", "lock_file"]


class PathLocks:
    """Threads of this process take turns at a path."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._turns: dict[str, list] = {}  # path -> [lock, how many hold it or wait]

    @contextlib.contextmanager
    def turn(self, path: str) -> Iterator[None]:
        with self._guard:
            entry = self._turns.setdefault(path, [Lock(), 0])
            entry[1] += 1
        try:
            with entry[0]:
                yield
        finally:
            with self._guard:
                entry[1] -= 1
                if not entry[1]:
                    del self._turns[path]


@contextlib.contextmanager
def dotlock(path: str, deposit: Deposit, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Hold ``path.lock``. :raise WriteFailure: somebody else does, or it cannot be made."""
    lock = path + ".lock"
    held = _make_dotlock(lock, deposit, sleep)
    try:
        yield
    finally:
        if held:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(lock)


def _make_dotlock(lock: str, deposit: Deposit, sleep: Callable[[float], None]) -> bool:
    for attempt in range(deposit.lock_attempts):
        if attempt:
            sleep(deposit.lock_delay)
        try:
            os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            return True
        except FileExistsError as error:
            failure = error
            _remove_stale(lock, deposit.stale_lock_time)
        except OSError as error:
            if deposit.dotlock_may_fail:
                return False
            raise WriteFailure.from_os(f"unable to create lock file {lock}", error) from error
    raise WriteFailure.from_os(f"unable to create lock file {lock}", failure)


def _remove_stale(lock: str, seconds: float) -> None:
    with contextlib.suppress(FileNotFoundError):
        if time.time() - os.stat(lock).st_ctime > seconds:
            os.unlink(lock)


def lock_file(descriptor: int, deposit: Deposit, sleep: Callable[[float], None] = time.sleep) -> None:
    """Take the fcntl and flock locks that the deposit wants; closing the file gives them back.

    :raise WriteFailure: somebody else holds one.
    """
    take = {"fcntl": fcntl.lockf, "flock": fcntl.flock}
    for method in deposit.locks:
        if method in take:
            _attempt(take[method], descriptor, deposit, sleep)


def _attempt(
    take: Callable[[int, int], None], descriptor: int, deposit: Deposit, sleep: Callable[[float], None]
) -> None:
    for attempt in range(deposit.lock_attempts):
        if attempt:
            sleep(deposit.lock_delay)
        try:
            take(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            failure = error
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                break
    raise WriteFailure.from_os("unable to lock for exclusive access", failure)
