"""The sockets on which local tools reach a running server, below $queue_directory/public (Postfix's names).

``pickup`` is told of new files in the maildrop; ``showq``, ``flush`` and ``qmgr`` answer postqueue for users who may not read
the queue's own files.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from mailer.master.poke import Poke
from mailer.master.sockets import bind_unix
from mailer.queue.control import QueueControlFactory

__all__ = ["LocalSockets"]

_CONTROL = ("showq", "flush", "qmgr")


class LocalSockets:
    """Bound when made. :raise CannotBind:"""

    def __init__(self, queue_directory: str) -> None:
        public = os.path.join(queue_directory, "public")
        self._paths = {name: os.path.join(public, name) for name in ("pickup", *_CONTROL)}
        self._pickup = bind_unix(self._paths["pickup"], socket.SOCK_DGRAM, 0o622)
        self._control = [bind_unix(self._paths[name]) for name in _CONTROL]
        self._poke: Poke | None = None
        self._ports: list[Any] = []

    def serve(self, reactor: Any, queue: Any, poked: Callable[[], None]) -> None:
        """:param queue: IQueue. :param poked: something has arrived in the maildrop."""
        self._poke = Poke(self._pickup, reactor, poked)
        factory = QueueControlFactory(queue, reactor)
        for sock in self._control:
            self._ports.append(reactor.adoptStreamPort(sock.fileno(), socket.AF_UNIX, factory))

    def close(self) -> None:
        """Tools are told at once that nobody is there."""
        if self._poke is not None:
            self._poke.close()
        for port in self._ports:
            port.stopListening()
        for sock in (self._pickup, *self._control):
            sock.close()
        for path in self._paths.values():
            if os.path.exists(path):
                os.unlink(path)
