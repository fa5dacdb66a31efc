"""Failures on their way to another daemon: what the peer may be told, and what only the log sees."""

from __future__ import annotations

from typing import Any

from mailer.interfaces.transport import TransportUnavailable
from mailer.message.status import MailError, PermanentError, Reply, TemporaryError

__all__ = ["LostPeer", "RemoteFault", "dump_error", "load_error"]

_UNAVAILABLE, _TEMPORARY, _PERMANENT, _FAULT = "unavailable", "temporary", "permanent", "fault"
_KINDS = {_UNAVAILABLE: TransportUnavailable, _TEMPORARY: TemporaryError, _PERMANENT: PermanentError}


class LostPeer(TemporaryError):
    """The other daemon has gone or does not answer: nobody can say whether it has done what was asked."""


class RemoteFault(Exception):
    """The other daemon failed in a way that nobody intended; its own log has the traceback."""


def dump_error(error: BaseException) -> list[Any]:
    """As JSON takes it."""
    if not isinstance(error, MailError):
        return [_FAULT, 451, "4.3.0", "", f"{type(error).__name__}: {error}"]
    reply = error.reply
    kind = _PERMANENT if reply.permanent else _TEMPORARY
    if isinstance(error, TransportUnavailable):
        kind = _UNAVAILABLE
    return [kind, reply.code, reply.enhanced, reply.text, error.cause]


def load_error(data: list[Any]) -> Exception:
    """:raise ValueError: (or TypeError) not what ``dump_error`` made."""
    kind, code, enhanced, text, cause = data
    if kind == _FAULT:
        return RemoteFault(cause)
    error = MailError.__new__(_KINDS.get(kind, TemporaryError))
    MailError.__init__(error, Reply(int(code), str(enhanced), str(text)), str(cause))
    return error
