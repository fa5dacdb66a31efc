"""Listening sockets that another process has bound, and that several processes may accept from.

Twisted accepts as many connections as wait, which would give all of a burst to the process that happened to wake first:
with ``one_by_one`` a process takes one and goes back to the reactor, so that the next one goes to a process that has nothing
to do. Twisted also changes the mode and removes the name of a UNIX socket that it listens on, forgets how many connections
may wait, shuts it down for everybody when it stops, and needs /dev/null, which a chroot lacks; here all that stays as whoever
bound the socket has made it. This is the only module that looks inside Twisted's ports.
"""

from __future__ import annotations

import os
import select
import socket
from typing import Any

from twisted.internet import tcp, unix

try:
    from twisted.internet.epollreactor import EPollReactor
except ImportError:  # no epoll on this system
    EPollReactor = None  # type: ignore[assignment, misc]

__all__ = ["adopt", "prepare"]

_BACKLOG = 1024


class _OneByOneTcp(tcp.Port):
    # Twisted adapts this number to what it finds; here it stays.
    numberAccepts = property(lambda self: 1, lambda self, number: None)  # type: ignore[assignment]


class _OneByOneUnix(unix.Port):
    numberAccepts = property(lambda self: 1, lambda self, number: None)  # type: ignore[assignment]


def adopt(reactor: Any, sock: socket.socket, factory: Any, one_by_one: bool = False) -> Any:
    """As IReactorSocket.adoptStreamPort. :param one_by_one: other processes accept from it, too."""
    port: Any
    if sock.family == socket.AF_UNIX:
        port = (_OneByOneUnix if one_by_one else unix.Port)._fromListeningDescriptor(reactor, sock.fileno(), factory)
        port._bindPath = b"\0"  # a name that is in no directory
    else:
        kind = _OneByOneTcp if one_by_one else tcp.Port
        port = kind._fromListeningDescriptor(reactor, sock.fileno(), sock.family, factory)
    port.backlog = _BACKLOG
    port._shouldShutdown = False  # that would end it for the other processes as well
    port.startListening()
    if one_by_one:
        _wake_one(reactor, port)
    return port


def prepare() -> None:
    """To be called before a process enters a chroot: Twisted keeps a descriptor in reserve, for when none is left, and
    opens /dev/null for it again and again."""
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    tcp._reservedFD._fileFactory = lambda: os.fdopen(os.dup(null), "rb")  # type: ignore[attr-defined]
    tcp._reservedFD.reserve()


def _wake_one(reactor: Any, port: Any) -> None:
    """Let the kernel wake one of the processes for a connection, not all of them."""
    exclusive = getattr(select, "EPOLLEXCLUSIVE", 0)
    if exclusive and EPollReactor is not None and type(reactor) is EPollReactor:
        reactor._poller.unregister(port.fileno())
        reactor._poller.register(port.fileno(), select.EPOLLIN | exclusive)
