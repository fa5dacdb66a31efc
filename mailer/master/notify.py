"""What a service manager is told (sd_notify(3)) and has prepared (sd_listen_fds(3)): the protocols alone, without its library.

Without $NOTIFY_SOCKET and $LISTEN_FDS nothing happens.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from twisted.internet.task import LoopingCall

from mailer.master.plan import socket_name

__all__ = ["Notifier", "inherited"]

_FIRST = 3


class Notifier:
    """:param variables: the environment; what is read there is not passed on to others."""

    def __init__(self, reactor: Any, variables: Mapping[str, str] = os.environ) -> None:
        self._address = variables.get("NOTIFY_SOCKET", "")
        microseconds = variables.get("WATCHDOG_USEC", "")
        for_us = variables.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._interval = int(microseconds) / 2e6 if for_us and microseconds.isdigit() else 0.0
        self._watchdog = LoopingCall(self.say, "WATCHDOG=1")
        self._watchdog.clock = reactor

    def say(self, *assignments: str) -> None:
        """Tell it, if there is anybody to tell; a manager that does not listen is its own trouble."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            try:
                sock.sendto("\n".join(assignments).encode(), address)
            except OSError:
                return

    def ready(self, words: str) -> None:
        """Mail is served."""
        self.say("READY=1", f"STATUS={words}", f"MAINPID={os.getpid()}")
        if self._interval and not self._watchdog.running:
            self._watchdog.start(self._interval)

    def reloading(self) -> None:
        """Ends with ``ready``."""
        self.say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self.say("STOPPING=1", "STATUS=ending")
        if self._watchdog.running:
            self._watchdog.stop()


def inherited(queue_directory: str, variables: Mapping[str, str] = os.environ) -> dict[str, socket.socket]:
    """The listening sockets that were handed over, by the names that a plan has for them; others are closed."""
    if variables.get("LISTEN_PID") != str(os.getpid()) or not variables.get("LISTEN_FDS", "").isdigit():
        return {}
    found: dict[str, socket.socket] = {}
    for descriptor in range(_FIRST, _FIRST + int(variables["LISTEN_FDS"])):
        sock = socket.socket(fileno=descriptor)
        name = _name(sock, queue_directory)
        if name and name not in found:
            sock.setblocking(False)
            sock.set_inheritable(False)
            found[name] = sock
        else:
            sock.close()
    return found


def _name(sock: socket.socket, queue_directory: str) -> str:
    if sock.type != socket.SOCK_STREAM:
        return ""
    address: Any = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        path = str(address)
        return os.path.relpath(path, queue_directory) if path.startswith(queue_directory + os.sep) else ""
    return socket_name(address[0], address[1])
