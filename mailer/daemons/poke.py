"""A UNIX datagram socket on which tools say that something has arrived. What they say does not matter, only that they do.

The reactor cannot adopt such a socket, so it is read here (IReadDescriptor).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

__all__ = ["Poke"]

_AT_ONCE = 100


@implementer(IReadDescriptor)
class Poke:
    """:param sock: bound, non-blocking. :param poked: called once for whatever has arrived together."""

    def __init__(self, sock: socket.socket, reactor: Any, poked: Callable[[], None]) -> None:
        self._socket = sock
        self._reactor = reactor
        self._poked = poked
        reactor.addReader(self)

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:
        return "poke"

    def doRead(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                self._socket.recv(16)
            except BlockingIOError:
                break
        self._poked()

    def connectionLost(self, reason: Any) -> None:
        """The reactor ends."""

    def close(self) -> None:
        self._reactor.removeReader(self)
        self._socket.close()
