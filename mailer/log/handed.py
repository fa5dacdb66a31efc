"""The mail log of a process that may open none itself: it writes to a descriptor that somebody with more rights has opened,
and gets another one after log rotation, or when it asks because syslogd has been started anew.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from mailer.log.destinations import FACILITIES, Stamp, StreamDestination, datagram
from mailer.log.maillog import Line

__all__ = ["HandedFile", "HandedSyslog"]

#: Lines kept while there is no syslogd.
_MOST_HELD = 20_000


class HandedFile(StreamDestination):
    """A file or terminal. :param descriptor: for appending; belongs to this object from now on."""

    def __init__(self, descriptor: int, host: str) -> None:
        super().__init__(os.fdopen(descriptor, "ab", buffering=0), host)
        self._next = -1

    def renew(self, descriptor: int) -> None:
        """Go on with another one from the next ``reopen`` on."""
        old, self._next = self._next, descriptor
        if old >= 0:
            os.close(old)

    def reopen(self) -> None:
        following, self._next = self._next, -1
        if following >= 0:
            old, self._stream = self._stream, os.fdopen(following, "ab", buffering=0)
            old.close()


class HandedSyslog:
    """A datagram socket that is connected to syslogd. :param ask: asks for another one; called from any thread."""

    def __init__(self, descriptor: int, facility: str, ask: Callable[[], None]) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._facility = FACILITIES[facility] << 3
        self._stamp = Stamp()
        self._ask = ask
        self._held: list[Line] = []
        self._next: socket.socket | None = None

    def write(self, lines: list[Line]) -> None:
        """Lines that cannot be sent wait for another socket. :raise OSError: this one is of no use any more."""
        waiting = [*self._held, *lines][-_MOST_HELD:]
        for position, (now, severity, tag, text) in enumerate(waiting):
            try:
                self._socket.send(datagram(self._facility, severity, self._stamp(now), tag, text))
            except OSError:
                self._held = waiting[position:]
                self._ask()
                raise
        self._held = []

    def renew(self, descriptor: int) -> None:
        """Go on with another one from the next ``reopen`` on."""
        old, self._next = self._next, socket.socket(fileno=descriptor)
        if old is not None:
            old.close()

    def reopen(self) -> None:
        following, self._next = self._next, None
        if following is not None:
            old, self._socket = self._socket, following
            old.close()
