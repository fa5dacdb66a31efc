"""Delivery to an mbox file: locked, appended, on the disk; after a failure cut back to its former length.

Messages begin with ``From sender  date`` and end with an empty line; ``From `` at the start of a line is marked with ``>``.
The file is made if it is missing (mode 0600); links to it, symbolic or hard, and files of others are refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterable

from mailer.deliver.mailbox.biff import announce
from mailer.deliver.mailbox.content import mark_from, unix_lines
from mailer.deliver.mailbox.deposit import Deposit, WriteFailure
from mailer.deliver.mailbox.locking import PathLocks, dotlock, lock_file
from mailer.deliver.mailbox.syncing import sync_directory

__all__ = ["Mboxes"]

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC


class Mboxes:
    """For all threads of a process."""

    def __init__(self) -> None:
        self._locks = PathLocks()

    def deliver(self, deposit: Deposit, pieces: Iterable[bytes]) -> None:
        """Append the message; when this returns it is durable. :raise WriteFailure:

        :param pieces: content with CRLF line ends.
        """
        path = deposit.path
        with contextlib.ExitStack() as held:
            held.enter_context(self._locks.turn(os.path.realpath(path)))
            if "dotlock" in deposit.locks:
                held.enter_context(dotlock(path, deposit))
            descriptor, created = _open(path)
            held.callback(os.close, descriptor)
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                _check(path, status, deposit)
            lock_file(descriptor, deposit)
            start = _append(descriptor, deposit, pieces)
            if created:
                sync_directory(os.path.dirname(path) or "/")
        if deposit.biff:
            announce(deposit.biff, start)


def _open(path: str) -> tuple[int, bool]:
    """:return: a descriptor, and whether the file is new."""
    try:
        return os.open(path, _FLAGS | os.O_NOFOLLOW), False
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno == errno.ELOOP:
            return _follow(path), False
        raise WriteFailure.from_os("cannot open file", error) from error
    try:
        return os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600), True
    except OSError as error:
        raise WriteFailure.from_os("cannot create file exclusively", error) from error


def _follow(path: str) -> int:
    """Symbolic links are followed only where root has put them, in a directory in which nobody else can put any."""
    link, directory = os.lstat(path), os.stat(os.path.dirname(path) or "/")
    if link.st_uid or directory.st_uid or directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise WriteFailure("", "file is a symbolic link")
    try:
        return os.open(path, _FLAGS)
    except OSError as error:
        raise WriteFailure.from_os("cannot open file", error) from error


def _check(path: str, status: os.stat_result, deposit: Deposit) -> None:
    if status.st_nlink > 1:
        raise WriteFailure("", f"file has {status.st_nlink} hard links")
    if deposit.strict_owner and status.st_uid != os.geteuid():
        raise WriteFailure(
            "",
            f"destination {path} is not owned by recipient",
            advice='specify "strict_mailbox_ownership = no" to ignore mailbox ownership mismatch',
        )


def _append(descriptor: int, deposit: Deposit, pieces: Iterable[bytes]) -> int:
    """:return: where in the file the message begins."""
    status = os.fstat(descriptor)
    regular = stat.S_ISREG(status.st_mode)
    end = status.st_size if regular else 0
    try:
        room = deposit.limit - end if deposit.limit and regular else float("inf")
        for piece in _message(deposit, pieces):
            room -= len(piece)
            if room < 0:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            while piece:
                piece = piece[os.write(descriptor, piece) :]
        if regular:
            os.fsync(descriptor)
    except BaseException as error:
        if regular:
            os.ftruncate(descriptor, end)
        if isinstance(error, OSError):
            raise WriteFailure.from_os("error writing message", error) from error
        raise
    return end


def _message(deposit: Deposit, pieces: Iterable[bytes]) -> Iterable[bytes]:
    sender = deposit.sender or "MAILER-DAEMON"
    yield os.fsencode(f"From {sender}  {time.asctime()}\n{deposit.head}")
    yield from mark_from(unix_lines(pieces))
    yield b"\n"
