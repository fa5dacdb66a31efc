"""Put a new version in the place of a file that others are reading: they see the old one or the new one, whole.

The new version is written beside the file, made durable and renamed. Where the directory does not allow that (postmap runs
as the owner of the source file, who need not own the directory) an existing file is rewritten in place, under the lock that
readers of it take.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable

__all__ = ["replace_file"]

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def replace_file(path: str, pieces: Iterable[bytes], mode: int, locked: int | None = None) -> None:
    """:param mode: permission bits if ``path`` is new; those and the owner of an existing file stay.
    :param locked: a writable descriptor of the existing file that holds its lock (flock) already.

    :raise OSError: what is there is as it was, unless it had to be rewritten in place.
    """
    path = os.path.realpath(path)
    existing = _status(path)
    temporary = path + ".tmp"
    try:
        if _status(temporary) is not None:
            os.unlink(temporary)
        descriptor = os.open(temporary, _FLAGS, mode)
    except PermissionError:
        if existing is None:
            raise
        _rewrite(path, pieces, locked)
        return
    try:
        with open(descriptor, "wb") as file:
            if existing is not None:
                _take_after(file.fileno(), existing)
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _take_after(descriptor: int, existing: os.stat_result) -> None:
    """Owner and permissions of the file that will be replaced, as far as we may give them."""
    if (os.geteuid(), os.getegid()) != (existing.st_uid, existing.st_gid):
        try:
            os.fchown(descriptor, existing.st_uid, existing.st_gid)
        except PermissionError:
            return
    os.fchmod(descriptor, stat.S_IMODE(existing.st_mode))


def _rewrite(path: str, pieces: Iterable[bytes], locked: int | None) -> None:
    descriptor = os.dup(locked) if locked is not None else os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    with open(descriptor, "wb") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        file.seek(0)
        file.truncate()
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
