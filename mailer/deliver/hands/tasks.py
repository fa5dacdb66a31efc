"""What can be asked for, and the blocking code that does it: a deposit, a command, a look into a file.

    {"task": "deposit", "deposit": {...}}             the content goes into a mailbox
    {"task": "command", "command": {...}}             the content goes to a command
    {"task": "read", "path": ..., "limit": ...}       a file's text, and whose it is

Answers are plain data, too, with octets beside them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Any

from mailer.deliver.command.command import Command, Result
from mailer.deliver.command.running import run
from mailer.deliver.mailbox.deposit import Deposit, WriteFailure
from mailer.deliver.mailbox.writing import MailboxWriter

__all__ = ["Tasks"]


class Tasks:
    """Shared by the threads of one process, in whose rights everything happens."""

    def __init__(self) -> None:
        self._writer = MailboxWriter()

    def perform(self, request: dict[str, Any], pieces: Iterable[bytes]) -> tuple[dict[str, Any], bytes]:
        """Blocking."""
        task = request["task"]
        if task == "deposit":
            return self._deposit(Deposit.from_data(request["deposit"]), pieces), b""
        if task == "command":
            if os.geteuid() == 0:
                return Result(failure="commands do not run as root", hidden=True).as_data(), b""
            return run(Command.from_data(request["command"]), pieces).as_data(), b""
        return _read(request["path"], request["limit"])

    def _deposit(self, deposit: Deposit, pieces: Iterable[bytes]) -> dict[str, Any]:
        try:
            self._writer.deliver(deposit, pieces)
        except WriteFailure as failure:
            return failure.as_data()
        return {}


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
