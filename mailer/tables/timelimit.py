"""End a computation that takes too long, such as the match of a regular expression that can match in too many ways.

CPython's ``re`` keeps the interpreter to itself while it matches, so no other thread and no reactor turn can stop it; but it
looks for signals every few thousand steps. A timer of the process' own CPU time (``ITIMER_VIRTUAL``) sends one, and its
handler raises. Works in the main thread, where signals are handled and reactors run; elsewhere, or if somebody else uses
the signal, nothing is bounded.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Overrun", "within"]

T = TypeVar("T")


class Overrun(Exception):
    """It took too long."""


class _Expired(BaseException):
    """Raised by the handler, between two instructions; never leaves this module."""


#: Whether the timer is meant now. One for the process, as the timer is.
_armed = False


def _expired(number: int, frame: Any) -> None:
    if _armed:
        raise _Expired


def _installed() -> bool:
    """Whether the signal is ours."""
    handler = signal.getsignal(signal.SIGVTALRM)
    if handler is _expired:
        return True
    if handler != signal.SIG_DFL:
        return False
    signal.signal(signal.SIGVTALRM, _expired)
    return True


def within(seconds: float, function: Callable[..., T], *arguments: Any) -> T:
    """The result of a function that neither waits nor changes anything.

    :param seconds: of CPU time. :raise Overrun: they are over. Costs about a microsecond.
    """
    global _armed
    if threading.current_thread() is not threading.main_thread() or not _installed():
        return function(*arguments)
    try:
        _armed = True
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        try:
            return function(*arguments)
        finally:
            _armed = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except _Expired:
        _armed = False  # it may have come just before
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        raise Overrun from None
