"""Delivery into a maildir: a file in ``tmp``, complete and on the disk, then renamed into ``new``.

File names are Postfix's: ``seconds.Pprocess...host`` while being written, then
``seconds.V<device>I<inode>M<microseconds>.host``. Directories that are missing are made (mode 0700).
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterable
from itertools import count

from mailer.deliver.mailbox.content import unix_lines
from mailer.deliver.mailbox.deposit import Deposit, WriteFailure
from mailer.deliver.mailbox.syncing import DirectorySyncs, sync_directory

__all__ = ["Maildirs"]


class Maildirs:
    """For all threads of a process."""

    def __init__(self) -> None:
        self._serial = count(1)
        self._syncs = DirectorySyncs()

    def deliver(self, deposit: Deposit, pieces: Iterable[bytes]) -> None:
        """Write the message; when this returns it is durable. :raise WriteFailure:

        :param pieces: content with CRLF line ends.
        """
        base = deposit.path
        unfinished = f"{base}tmp/{int(time.time())}.P{os.getpid()}Q{next(self._serial)}.{deposit.host}"
        try:
            descriptor = _create(base, unfinished)
        except OSError as error:
            raise WriteFailure.from_os(f"create maildir file {unfinished}", error) from error
        try:
            try:
                _write(descriptor, deposit, pieces)
                status = os.fstat(descriptor)
            except OSError as error:
                raise WriteFailure.from_os("error writing message", error) from error
            finally:
                os.close(descriptor)
            self._publish(base, unfinished, _final_name(status, deposit.host))
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(unfinished)
            raise

    def _publish(self, base: str, unfinished: str, name: str) -> None:
        final = f"{base}new/{name}"
        try:
            try:
                os.rename(unfinished, final)
            except FileNotFoundError:
                _make_directories(base)
                os.rename(unfinished, final)
            try:
                self._syncs.sync(f"{base}new")
            except OSError:
                os.unlink(final)
                raise
        except OSError as error:
            raise WriteFailure.from_os(f"create maildir file {final}", error) from error


def _final_name(status: os.stat_result, host: str) -> str:
    seconds, micro = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{seconds}.V{status.st_dev:x}I{status.st_ino:x}M{micro}.{host}"


def _create(base: str, path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        _make_directories(base)
        return os.open(path, flags, 0o600)


def _make_directories(base: str) -> None:
    # tmp comes last: whoever finds it finds the others.
    for name in ("cur", "new", "tmp"):
        _make_directory(base + name)


def _make_directory(path: str) -> None:
    """Make a directory and those above it, each durable before it is used."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_directory(os.path.dirname(path))
        _make_directory(path)
        return
    sync_directory(os.path.dirname(path) or "/")


def _write(descriptor: int, deposit: Deposit, pieces: Iterable[bytes]) -> None:
    room = deposit.limit or float("inf")
    pending = os.fsencode(deposit.head)
    for piece in unix_lines(pieces):
        # Mostly there is one piece, and all goes in one write.
        pending += piece
        room -= len(pending)
        if room < 0:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        _write_all(descriptor, pending)
        pending = b""
    _write_all(descriptor, pending)
    os.fsync(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
