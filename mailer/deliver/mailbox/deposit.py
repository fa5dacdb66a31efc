"""What is to be written where, as plain data that can travel to another process, and how it can fail."""

from __future__ import annotations

import errno
import os
from dataclasses import asdict, dataclass, fields
from typing import Any

__all__ = ["Deposit", "WriteFailure", "status_of"]


@dataclass(frozen=True, slots=True)
class Deposit:
    """One message for one mailbox.

    ``path`` is a maildir if it ends in a slash, else an mbox file. ``head`` is what stands above the message: header lines,
    bare newlines. ``sender`` is for mbox' ``From `` line. ``host`` names this machine in maildir file names. ``limit`` is
    the largest size of the mbox file or the maildir message (0: none). The rest is for mbox: the lock methods in order,
    how often they are tried at which interval, after how many seconds a left-over dotlock counts for nothing, and whether
    the file has to belong to the writer. ``dotlock_may_fail``: go on if a dotlock cannot be made, unless
    somebody else has it.
    ``biff`` is the user whom the comsat service is told of the new mail ("": nobody is).
    """

    path: str
    head: str
    sender: str = ""
    host: str = "localhost"
    limit: int = 0
    locks: tuple[str, ...] = ()
    lock_attempts: int = 20
    lock_delay: float = 1.0
    stale_lock_time: float = 500.0
    strict_owner: bool = True
    dotlock_may_fail: bool = False
    biff: str = ""

    @property
    def maildir(self) -> bool:
        return self.path.endswith("/")

    def as_data(self) -> dict[str, Any]:
        """For JSON; octets that are not UTF-8 are lone surrogates, which JSON escapes."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Deposit:
        known = {field.name for field in fields(cls)}
        given: dict[str, Any] = {name: value for name, value in data.items() if name in known}
        return cls(**{**given, "locks": tuple(given.get("locks", ()))})


class WriteFailure(Exception):
    """A mailbox could not be written; nothing of the message is left in it.

    ``status`` is an RFC 3463 code, 4.2.0, 4.3.0 or 5.2.2; "" leaves it to the transport whether to try again.
    ``reason`` is for logs and reports. ``denied``: it was a matter of rights. ``advice``: what the log should say besides.
    """

    def __init__(self, status: str, reason: str, denied: bool = False, advice: str = "") -> None:
        super().__init__(status, reason, denied, advice)
        self.status = status
        self.reason = reason
        self.denied = denied
        self.advice = advice

    def as_data(self) -> dict[str, Any]:
        return {"status": self.status, "reason": self.reason, "denied": self.denied, "advice": self.advice}

    @classmethod
    def from_os(cls, what: str, error: OSError) -> WriteFailure:
        """:param what: the action that failed, such as ``create maildir file /x``."""
        number = error.errno or 0
        return cls(status_of(number), f"{what}: {os.strerror(number)}", number in (errno.EACCES, errno.EPERM))


def status_of(number: int) -> str:
    """The code for an errno: a full mailbox is the recipient's (5.2.2), a full disk the system's (4.3.0), a lock or a
    file server will be free again (4.2.0); "" for all others."""
    if number in (errno.EDQUOT, errno.EFBIG):
        return "5.2.2"
    if number in (errno.EAGAIN, errno.EEXIST, errno.ESTALE):
        return "4.2.0"
    return "4.3.0" if number == errno.ENOSPC else ""
