"""What can be asked for, and the blocking code that does it: a deposit, a command, a look into a file.

    {"task": "deposit", "deposit": {...}}             the content goes into a mailbox
    {"task": "command", "command": {...}}             the content goes to a command
    {"task": "read", "path": ..., "limit": ...}       a file's text, and whose it is
    {"task": "make", "path": ..., "uid": ..., "gid"}  an empty mailbox, if there is none, for its user

Answers are plain data, too, with octets beside them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from typing import Any

from mailer.deliver.command.command import Command, Result
from mailer.deliver.command.running import run
from mailer.deliver.hands.framing import LostConnection
from mailer.deliver.hands.limits import Limits
from mailer.deliver.mailbox.deposit import Deposit, WriteFailure
from mailer.deliver.mailbox.writing import MailboxWriter

__all__ = ["Tasks", "make"]


class Tasks:
    """Shared by the threads of one process, in whose rights everything happens."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits
        self._writer = MailboxWriter()

    def perform(self, request: dict[str, Any], pieces: Iterable[bytes]) -> tuple[dict[str, Any], bytes]:
        """Blocking."""
        task = request["task"]
        if self._limits is not None and not self._limits.allow(request):
            if task == "read":
                return {"errno": errno.EACCES}, b""
            raise LostConnection("more than may be done as root")
        if task == "deposit":
            return self._deposit(Deposit.from_data(request["deposit"]), pieces), b""
        if task == "command":
            if os.geteuid() == 0:
                return Result(failure="commands do not run as root", hidden=True).as_data(), b""
            return run(Command.from_data(request["command"]), pieces).as_data(), b""
        if task == "make":
            make(request["path"], request["uid"], request["gid"])
            return {}, b""
        return _read(request["path"], request["limit"])

    def _deposit(self, deposit: Deposit, pieces: Iterable[bytes]) -> dict[str, Any]:
        try:
            self._writer.deliver(deposit, pieces)
        except WriteFailure as failure:
            return failure.as_data()
        return {}


def make(path: str, uid: int, gid: int) -> None:
    """An empty mailbox, unless there is something of that name already. Blocking; as root."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, flags, 0o600)
        try:
            os.fchown(descriptor, uid, gid)
        finally:
            os.close(descriptor)


def _read(path: str, limit: int) -> tuple[dict[str, Any], bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return {"errno": error.errno or 0}, b""
    with open(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        about = {"uid": status.st_uid, "mode": status.st_mode}
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            return {**about, "length": status.st_size}, b""
        try:
            text = file.read(limit)
        except OSError as error:
            return {"errno": error.errno or 0}, b""
        return {**about, "length": status.st_size}, text
