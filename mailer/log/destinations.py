"""Where the mail log goes: a file or the terminal in the traditional syslog format, or syslogd (RFC 3164).

postconf(5): maillog_file, maillog_file_permissions, syslog_facility.
"""

from __future__ import annotations

import os
import socket
import time
from typing import BinaryIO

from mailer.log.maillog import Line, printable

__all__ = ["FACILITIES", "FileDestination", "Stamp", "StreamDestination", "SyslogDestination", "datagram"]

_SEVERITIES = {"info": 6, "warning": 4, "error": 3, "fatal": 2, "panic": 2}

#: syslog.h facility names and numbers.
FACILITIES = {
    "kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "lpr": 6, "news": 7, "uucp": 8, "cron": 9,
    "authpriv": 10, "ftp": 11, **{f"local{n}": 16 + n for n in range(8)},
}  # fmt: skip


class Stamp:
    """``Nov  4 09:05:00``, made once a second."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def __call__(self, now: float) -> str:
        second = int(now)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%b %e %H:%M:%S", time.localtime(second))
        return self._text


def datagram(facility: int, severity: str, stamp: str, tag: str, text: str) -> bytes:
    """A line as syslogd takes it. :param facility: its number, shifted."""
    return _encode(f"<{facility | _SEVERITIES[severity]}>{stamp} {tag}: {printable(text)}")[:8192]


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")


class StreamDestination:
    """An open binary stream, such as standard output."""

    def __init__(self, stream: BinaryIO, host: str) -> None:
        self._stream = stream
        self._host = host
        self._stamp = Stamp()

    def write(self, lines: list[Line]) -> None:
        host, stamp = self._host, self._stamp
        text = "".join([f"{stamp(now)} {host} {tag}: {printable(text)}\n" for now, _, tag, text in lines])
        self._stream.write(_encode(text))
        self._stream.flush()

    def fileno(self) -> int:
        """What another process may write to as well."""
        return self._stream.fileno()

    def reopen(self) -> None:
        """A stream stays as it is."""


class FileDestination(StreamDestination):
    """A file that is appended to, and reopened after rotation."""

    def __init__(self, path: str, host: str, mode: int = 0o600) -> None:
        self._path = path
        self._mode = mode
        super().__init__(self._open(), host)

    def _open(self) -> BinaryIO:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, self._mode)
        return os.fdopen(descriptor, "ab", buffering=0)

    def reopen(self) -> None:
        old, self._stream = self._stream, self._open()
        old.close()


class SyslogDestination:
    """syslogd behind a UNIX datagram socket; reconnects after it was restarted."""

    def __init__(self, facility: str, path: str = "/dev/log") -> None:
        self._path = path
        self._facility = FACILITIES[facility] << 3
        self._stamp = Stamp()
        self._socket: socket.socket | None = None

    def fileno(self) -> int:
        """What another process may send to as well. :raise OSError: nobody listens there."""
        return self._connected().fileno()

    def _connected(self) -> socket.socket:
        if self._socket is None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            sock.settimeout(5)
            try:
                sock.connect(self._path)
            except OSError:
                sock.close()
                raise
            self._socket = sock
        return self._socket

    def write(self, lines: list[Line]) -> None:
        for now, severity, tag, text in lines:
            message = datagram(self._facility, severity, self._stamp(now), tag, text)
            try:
                self._connected().send(message)
            except OSError:
                self.reopen()
                self._connected().send(message)

    def reopen(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
