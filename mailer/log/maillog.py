"""Buffer log lines in the reactor thread, write them by the hundred elsewhere.

A line costs an append here (a twisted.logger event costs 20 us, and a relayed message logs seven lines). While little
happens it goes to the destination at the end of the reactor's turn, so that the lines of several processes stand in their order;
under load every 100 ms or 200 lines. A thread writes, one batch at a time and in order; ``warning`` and worse go at once.
Memory is bounded: when the destination is stuck, lines are dropped, counted, and the count is logged when it moves again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Protocol

__all__ = ["Destination", "Line", "MailLog", "ServiceLog"]

#: Seconds since the epoch, severity, tag such as ``postfix/smtpd[123]``, text.
Line = tuple[float, str, str, str]

_time = itemgetter(0)
_FLUSH_SECONDS = 0.1
_FLUSH_LINES = 200
#: Flushes without delay that are saved up, and that are granted in a second.
_PROMPT = 50
_MOST_LINES = 100_000


class Destination(Protocol):
    """Where lines end up. Both methods may block; ``write`` is called from one thread at a time."""

    def write(self, lines: list[Line]) -> None: ...

    def reopen(self) -> None: ...


def printable(text: str) -> str:
    """Text from the network cannot forge a line: what is not printable becomes ``?``."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


class MailLog:
    """The log of one process.

    :param pid: asked when a service's log is made, which is after twistd has become a daemon.
    :param defer: runs ``function(*arguments)`` on another thread and calls back with None, or an exception, when done;
        None writes synchronously (tools, tests).
    :param later: ``later(seconds, function)``, as reactor.callLater; None flushes at every line.
    :param complain: told once, with text, when the destination fails, and again when it has recovered.
    """

    def __init__(
        self,
        destination: Destination,
        seconds: Callable[[], float],
        pid: Callable[[], int],
        later: Callable[[float, Callable[[], None]], Any] | None = None,
        defer: Callable[[Callable[[], None], Callable[[BaseException | None], None]], None] | None = None,
        complain: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._destination = destination
        self._seconds = seconds
        self._pid = pid
        self._later = later
        self._defer = defer
        self._complain = complain
        self._lines: list[Line] = []
        self._dropped = 0
        self._scheduled = False
        self._prompt: float = _PROMPT
        self._counted = 0.0
        self._writing = False
        self._rotated = False
        self._reopened: list[Callable[[], None]] = []
        self._failed = False
        self._hold = 0.0

    def service(self, name: str, syslog_name: str = "postfix") -> ServiceLog:
        """The log of one service: ``name`` is the program (smtpd, qmgr), ``syslog_name`` what stands before it."""
        return ServiceLog(self, f"{syslog_name}/{name}[{self._pid()}]")

    def add(self, severity: str, tag: str, text: str) -> None:
        """Take one line."""
        lines = self._lines
        if len(lines) >= _MOST_LINES:
            self._dropped += 1
            return
        now = self._seconds()
        lines.append((now, severity, tag, text))
        if severity != "info" or self._later is None:
            self.flush()
        elif not self._scheduled:
            self._scheduled = True
            self._later(self._patience(now), self._due)
        elif len(lines) >= _FLUSH_LINES and not self._hold:
            self.flush()

    def _patience(self, now: float) -> float:
        self._prompt = min(_PROMPT, self._prompt + max(0.0, now - self._counted) * _PROMPT)
        self._counted = now
        if self._prompt < 1:
            return _FLUSH_SECONDS
        self._prompt -= 1
        return 0.0

    def hold_back(self, seconds: float) -> None:
        """Write lines when they are so old, except with a warning or worse: those of other processes that tell what came
        before are in the file then. More than the flush interval of theirs."""
        self._hold = seconds

    def _due(self) -> None:
        self._scheduled = False
        if self._hold:
            self._flush_old()
        else:
            self.flush()

    def _flush_old(self) -> None:
        lines = self._lines
        old = bisect_right(lines, self._seconds() - self._hold, key=_time)
        younger = lines[old:]
        del lines[old:]
        if younger and self._later is not None:
            self._scheduled = True
            self._later(_FLUSH_SECONDS, self._due)
        self.flush()
        self._lines += younger

    def flush(self) -> None:
        """Hand what is buffered to the destination, unless a batch is still on its way: then it goes after that one."""
        if self._writing or not self._lines:
            return
        batch, self._lines = self._lines, []
        if self._dropped:
            batch.append((self._seconds(), "warning", batch[-1][2], f"{self._dropped} log lines lost"))
            self._dropped = 0
        if self._defer is None:
            self._destination.write(batch)
            return
        self._writing = True
        self._defer(lambda: self._destination.write(batch), self._written)

    def _written(self, error: BaseException | None) -> None:
        self._writing = False
        if (error is not None) != self._failed:
            self._failed = error is not None
            self._complain(f"mail log: cannot write: {error}" if error else "mail log: writing again")
        if self._rotated:
            self._rotated = False
            self._reopen()
        # What came while this batch was on its way has no other call coming for it, if its time is over already.
        if not self._scheduled or (len(self._lines) >= _FLUSH_LINES and not self._hold):
            self.flush()

    def reopen(self, then: Callable[[], None] = lambda: None) -> None:
        """After log rotation: go on in a new file, or in the old one if the new one cannot be had.

        :param then: called when that is done, which is when the batch on its way has been written.
        """
        self._reopened.append(then)
        if self._writing:
            self._rotated = True
        else:
            self._reopen()

    def _reopen(self) -> None:
        try:
            self._destination.reopen()
        except OSError as error:
            self._complain(f"mail log: cannot reopen: {error}")
        reopened, self._reopened = self._reopened, []
        for then in reopened:
            then()

    def drain(self) -> None:
        """At the end: write all that is left, synchronously."""
        batch, self._lines = self._lines, []
        if batch:
            self._destination.write(batch)


class ServiceLog:
    """What a part logs to. Text as it stands after ``postfix/smtpd[123]: `` in Postfix's log."""

    __slots__ = ("_add", "_log", "tag")

    def __init__(self, log: MailLog, tag: str) -> None:
        self._log = log
        self._add = log.add
        self.tag = tag

    def info(self, text: str) -> None:
        self._add("info", self.tag, text)

    def warning(self, text: str) -> None:
        self._add("warning", self.tag, f"warning: {text}")

    def error(self, text: str) -> None:
        self._add("error", self.tag, f"error: {text}")

    def fatal(self, text: str) -> None:
        self._add("fatal", self.tag, f"fatal: {text}")

    def panic(self, text: str) -> None:
        self._add("panic", self.tag, f"panic: {text}")
