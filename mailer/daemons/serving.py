"""Bound sockets and the factories that serve them, across reloads, up to the last session.

A socket that stays keeps its connections waiting in the kernel while the factory behind it changes. Knows nothing of
addresses: who bound the sockets gave them their names.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from twisted.internet.task import deferLater

from mailer.net.sharing import adopt

__all__ = ["Serving"]


_POLL = 0.05


def _adopt(reactor: Any, sock: socket.socket, factory: Any) -> Any:
    return reactor.adoptStreamPort(sock.fileno(), sock.family, factory)


def _adopt_shared(reactor: Any, sock: socket.socket, factory: Any) -> Any:
    return adopt(reactor, sock, factory, one_by_one=True)


class Serving:
    """:param reactor: IReactorSocket. :param sockets: those that are bound, by name; may change between calls.
    :param shared: the sockets were bound by another process, and others accept from them as well."""

    def __init__(self, reactor: Any, sockets: Mapping[str, socket.socket], shared: bool = False) -> None:
        self._reactor = reactor
        self._adopt = _adopt_shared if shared else _adopt
        self._sockets = sockets
        self._ports: dict[str, Any] = {}
        self._factories: list[Any] = []  # those that serve, and earlier ones whose sessions last

    def listen(self, factories: Mapping[Any, Any]) -> None:
        """Serve the bound sockets with these factories, by Listener; sockets that none of them wants are let go."""
        wanted: dict[str, Any] = {}
        for listener, factory in factories.items():
            for name in listener.sockets:
                if name in self._sockets:
                    wanted[name] = factory
        earlier = [factory for factory in self._factories if factory.connections]
        self._factories = [*factories.values(), *earlier]
        for name in set(self._ports) - set(wanted):
            self._ports.pop(name).stopListening()
        for name, factory in wanted.items():
            port = self._ports.get(name)
            if port is not None:
                self._exchange(port, factory)
            else:
                sock = self._sockets[name]
                self._ports[name] = self._adopt(self._reactor, sock, factory)

    @staticmethod
    def _exchange(port: Any, factory: Any) -> None:
        old, port.factory = port.factory, factory
        factory.doStart()
        old.doStop()

    async def stop(self, seconds: float) -> None:
        """Take no more connections, then end the sessions: each ends when it next waits for its client; one that waits for us
        (for the queue, for a table) is given ``seconds`` to get its answer."""
        self._take_no_more()
        for connection in self._connections():
            connection.readConnectionLost()
        await self._ended(seconds)
        for connection in self._connections():
            connection.transport.abortConnection()

    async def retire(self, seconds: float) -> None:
        """Take no more connections; the sessions come to their own ends, within ``seconds``."""
        self._take_no_more()
        await self._ended(seconds)
        await self.stop(0)

    def _take_no_more(self) -> None:
        for name in list(self._ports):
            self._ports.pop(name).stopListening()

    async def _ended(self, seconds: float) -> None:
        end = self._reactor.seconds() + seconds
        while self._connections() and self._reactor.seconds() < end:
            await deferLater(self._reactor, _POLL, lambda: None)

    @property
    def sessions(self) -> int:
        """How many connections are open."""
        return len(self._connections())

    def _connections(self) -> list[Any]:
        return [connection for factory in self._factories for connection in factory.connections]
