"""What runs and how it fares, as `mailer status` shows it: one JSON document for whoever connects to public/status.

Nothing is read from the caller, and nothing told that ps(1) and ss(8) would not tell everybody on this machine.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Factory, Protocol

from mailer.master.sockets import bind_unix
from mailer.net.sharing import adopt

__all__ = ["STATUS", "StatusSocket", "facts"]

#: The socket below the queue directory.
STATUS = "public/status"
_MOST = 20
_SECONDS = 10.0
_PAGE = os.sysconf("SC_PAGE_SIZE")


def facts(pid: int) -> dict[str, Any]:
    """``uid``, ``memory`` (octets in core, those shared with others included) and ``threads`` of a process; nothing where
    /proc does not tell."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
            values = dict(line.split(":", 1) for line in lines)
    except OSError:
        return {}
    return {
        "uid": int(values["Uid"].split()[1]),
        "memory": int(values.get("VmRSS", "0").split()[0]) * 1024,
        "threads": int(values["Threads"]),
    }


class _Answer(Protocol):
    transport: Any

    def connectionMade(self) -> None:
        factory: Any = self.factory
        factory.count += 1
        self._limit = factory.reactor.callLater(_SECONDS, self.transport.abortConnection)
        if factory.count > _MOST:
            self.transport.loseConnection()
        else:
            factory.describe(self._say)

    def _say(self, document: dict[str, Any]) -> None:
        self.transport.write(json.dumps(document, indent=1).encode("ascii") + b"\n")
        self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        factory: Any = self.factory
        factory.count -= 1
        if self._limit.active():
            self._limit.cancel()


class StatusSocket:
    """Bound when made. :raise CannotBind:"""

    def __init__(self, queue_directory: str) -> None:
        self._path = os.path.join(queue_directory, STATUS)
        self._socket: socket.socket | None = bind_unix(self._path)
        self._port: Any = None

    def serve(self, reactor: Any, describe: Callable[[Callable[[Any], None]], None]) -> None:
        """:param describe: given a function that it calls with the document, at once or within a few seconds."""
        factory: Any = Factory.forProtocol(_Answer)
        factory.noisy = False
        factory.reactor, factory.describe, factory.count = reactor, describe, 0
        self._port = adopt(reactor, self._socket, factory)

    def close(self) -> None:
        if self._port is not None:
            self._port.stopListening()
            self._port = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            if os.path.exists(self._path):
                os.unlink(self._path)
