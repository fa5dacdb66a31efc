"""End a computation that takes too long, such as the match of a regular expression that can match in too many ways, or a
plug-in that blocks the reactor.

CPython's ``re`` keeps the interpreter to itself while it matches, so no other thread and no reactor turn can stop it; but it
looks for signals every few thousand steps, and so does whatever waits. A timer sends one, and its handler raises. Works in
the main thread, where signals are handled and reactors run; elsewhere, or if somebody else uses the signal, nothing is
bounded.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Overrun", "within", "within_wall"]

T = TypeVar("T")


class Overrun(Exception):
    """It took too long."""


class _Expired(BaseException):
    """Raised by the handler, between two instructions; never leaves this module."""


class _Timer:
    """One of the process' timers. ``_armed`` says whether it is meant now: a signal that comes late does nothing."""

    def __init__(self, timer: int, number: signal.Signals) -> None:
        self._timer = timer
        self._number = number
        self._armed = False

    def _expired(self, number: int, frame: Any) -> None:
        if self._armed:
            raise _Expired

    def _usable(self) -> bool:
        """Whether the signal is ours."""
        if threading.current_thread() is not threading.main_thread():
            return False
        handler = signal.getsignal(self._number)
        if handler == self._expired:
            return True
        if handler != signal.SIG_DFL:
            return False
        signal.signal(self._number, self._expired)
        return True

    def run(self, seconds: float, function: Callable[..., T], *arguments: Any) -> T:
        if not self._usable():
            return function(*arguments)
        outer = self._armed  # a computation within one: the outer one's time begins anew afterwards
        rest = 0.0
        try:
            self._armed = True
            rest = signal.setitimer(self._timer, seconds)[0]
            try:
                return function(*arguments)
            finally:
                self._armed = outer
                signal.setitimer(self._timer, rest if outer else 0)
        except _Expired:
            self._armed = outer  # it may have come just before
            signal.setitimer(self._timer, rest if outer else 0)
            raise Overrun from None


_cpu = _Timer(signal.ITIMER_VIRTUAL, signal.SIGVTALRM)
_wall = _Timer(signal.ITIMER_REAL, signal.SIGALRM)


def within(seconds: float, function: Callable[..., T], *arguments: Any) -> T:
    """The result of a function that neither waits nor changes anything.

    :param seconds: of CPU time. :raise Overrun: they are over. Costs about a microsecond.
    """
    return _cpu.run(seconds, function, *arguments)


def within_wall(seconds: float, function: Callable[..., T], *arguments: Any) -> T:
    """The same for a function that may wait, by the clock on the wall. What it was doing is left half done."""
    return _wall.run(seconds, function, *arguments)
