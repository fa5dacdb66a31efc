"""Binds the sockets on which local tools reach a running server; mailer.daemons.local serves them."""

from __future__ import annotations

import os
import socket

from mailer.daemons.local import CONTROL, PICKUP
from mailer.master.sockets import bind_unix

__all__ = ["LocalBinding"]


class LocalBinding:
    """``sockets`` by name. Bound when made. :raise CannotBind:"""

    def __init__(self, queue_directory: str) -> None:
        self._queue_directory = queue_directory
        self.sockets = {PICKUP: bind_unix(self._path(PICKUP), socket.SOCK_DGRAM, 0o622)}
        for name in CONTROL:
            self.sockets[name] = bind_unix(self._path(name))

    def _path(self, name: str) -> str:
        return os.path.join(self._queue_directory, name)

    def close(self) -> None:
        """Tools are told at once that nobody is there."""
        while self.sockets:
            name, sock = self.sockets.popitem()
            sock.close()
            if os.path.exists(self._path(name)):
                os.unlink(self._path(name))
