"""How an unprivileged daemon has worker processes started under other users: by asking master, who alone can."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred

from mailer.deliver.hands.identity import Identity
from mailer.master.control import Channel

__all__ = ["WorkerLink"]


class _Started:
    """A worker that is master's child: nobody here has to wait for it."""

    def __init__(self, channel: Channel, pid: int) -> None:
        self._channel = channel
        self.pid = pid

    def kill(self) -> None:
        self._channel.send("kill", pid=self.pid)

    def wait(self) -> int:
        return 0


class WorkerLink:
    """The daemon's side. See `mailer.deliver.hands.workers.Workers` for ``start``."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._asked: dict[int, Deferred[Any]] = {}
        self._next = 0

    def start(self, identity: Identity, sockets: list[socket.socket]) -> Deferred[Any]:
        """Fires with the process, or fails with OSError."""
        self._next += 1
        self._asked[self._next] = answer = Deferred()
        self._channel.send(
            "worker",
            [end.fileno() for end in sockets],
            id=self._next,
            uid=identity.uid,
            gid=identity.gid,
            groups=list(identity.groups),
        )
        return answer

    def answered(self, _: list[int], id: int, pid: int = 0, error: str = "") -> None:
        """Master's word."""
        asked = self._asked.pop(id, None)
        if asked is None:
            return
        if error:
            asked.errback(OSError(None, error))
        else:
            asked.callback(_Started(self._channel, pid))
