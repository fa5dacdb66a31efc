"""What goes wrong with disks and databases, as replies."""

from __future__ import annotations

import errno
import sqlite3

from mailer.message.status import MailError, Reply, TemporaryError

__all__ = ["as_mail_error", "concerns_all", "is_about_storage", "no_space"]

_STORAGE_ERRNO = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
_STORAGE_CODES = frozenset({8, 10, 13})  # SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL
_STORAGE_TEXTS = ("disk is full", "disk I/O error", "readonly database")
_BUSY_CODES = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED
_BUSY_TEXTS = ("is locked",)


def no_space(cause: str) -> MailError:
    return MailError(Reply(452, "4.3.1", "Insufficient system storage"), cause)


def is_about_storage(error: BaseException) -> bool:
    """Full, failing or read-only: nothing can be written, whatever it is."""
    if isinstance(error, OSError):
        return error.errno in _STORAGE_ERRNO
    return _matches(error, _STORAGE_CODES, _STORAGE_TEXTS)


def concerns_all(error: BaseException) -> bool:
    """Whether any other message would fail in the same way now: storage, or a lock that another process keeps."""
    return is_about_storage(error) or _matches(error, _BUSY_CODES, _BUSY_TEXTS)


def _matches(error: BaseException, codes: frozenset[int], texts: tuple[str, ...]) -> bool:
    if not isinstance(error, sqlite3.Error):
        return False
    code = getattr(error, "sqlite_errorcode", None)  # Python 3.11
    if code is not None:
        return code & 0xFF in codes
    return any(text in str(error) for text in texts)


def as_mail_error(error: BaseException) -> MailError:
    """The reply for a message that could not be stored."""
    if isinstance(error, MailError):
        return error
    cause = f"{type(error).__name__}: {error}"
    if is_about_storage(error):
        return no_space(cause)
    return TemporaryError(cause, "4.3.0", "Error: queue file write error")
