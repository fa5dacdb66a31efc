"""The sockets on which local tools reach a running server, below $queue_directory/public (Postfix's names).

``pickup`` is told of new files in the maildrop; ``showq``, ``flush`` and ``qmgr`` answer postqueue for users who may not read
the queue's own files. Whoever bound the sockets removes them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

from mailer.daemons.poke import Poke
from mailer.net.sharing import adopt
from mailer.queue.control import QueueControlFactory

__all__ = ["CONTROL", "PICKUP", "LocalSockets"]

PICKUP = "public/pickup"
CONTROL = ("public/showq", "public/flush", "public/qmgr")


class LocalSockets:
    """:param sockets: bound, by name; one that is missing is not served."""

    def __init__(self, sockets: Mapping[str, socket.socket]) -> None:
        self._sockets = sockets
        self._poke: Poke | None = None
        self._ports: list[Any] = []

    def serve(self, reactor: Any, queue: Any, poked: Callable[[], None]) -> None:
        """:param queue: IQueue. :param poked: something has arrived in the maildrop."""
        if PICKUP in self._sockets:
            self._poke = Poke(self._sockets[PICKUP], reactor, poked)
        factory = QueueControlFactory(queue, reactor)
        for name in CONTROL:
            if name in self._sockets:
                self._ports.append(adopt(reactor, self._sockets[name], factory))

    def close(self) -> None:
        """Answer no more."""
        if self._poke is not None:
            self._poke.close()
            self._poke = None
        while self._ports:
            self._ports.pop().stopListening()
