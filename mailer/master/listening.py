"""The listening sockets of an instance across reloads: bound first, handed to the reactor when there is somebody to serve.

A socket that stays keeps its connections waiting in the kernel while the factory behind it changes; one that is new is
bound before the new configuration is in force; one that is gone is closed.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from twisted.internet.task import deferLater

from mailer.master.plan import Listener, Plan
from mailer.master.sockets import CannotBind, bind_inet, bind_unix

__all__ = ["Listening"]

_Key = tuple[str, int]  # (address, port), or (path, -1)
_POLL = 0.05
_ABSENT = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class Listening:
    """:param reactor: IReactorSocket."""

    def __init__(self, reactor: Any, log: Any) -> None:
        self._reactor = reactor
        self._log = log
        self._bound: dict[_Key, socket.socket] = {}
        self._ports: dict[_Key, Any] = {}
        self._factories: list[Any] = []  # those that serve, and earlier ones whose sessions last

    @staticmethod
    def _keys(listener: Listener, queue_directory: str) -> Iterator[_Key]:
        yield from listener.addresses
        if listener.path:
            yield os.path.join(queue_directory, listener.path), -1

    def bind(self, plan: Plan) -> None:
        """Bind what the plan asks for and is not bound yet.

        :raise CannotBind: nothing is changed then.
        """
        queue_directory = plan.configuration.settings.queue_directory
        new: dict[_Key, socket.socket] = {}
        try:
            for listener in plan.listeners:
                for key in self._keys(listener, queue_directory):
                    if key in self._bound or key in new:
                        continue
                    bound = self._bind(key, len(listener.addresses) > 1)
                    if bound is not None:
                        new[key] = bound
        except CannotBind:
            for sock in new.values():
                sock.close()
            raise
        self._bound.update(new)
        self._queue_directory = queue_directory

    def _bind(self, key: _Key, optional_family: bool) -> socket.socket | None:
        address, port = key
        if port < 0:
            return bind_unix(address)
        try:
            return bind_inet(address, port)
        except CannotBind as error:
            cause = error.__cause__
            # A machine without IPv6, where inet_protocols has both: Postfix says so and goes on.
            if optional_family and ":" in address and isinstance(cause, OSError) and cause.errno in _ABSENT:
                self._log.warning(f"{error}: IPv6 is not available, going on without")
                return None
            raise

    def listen(self, factories: Mapping[Listener, Any]) -> None:
        """Serve the bound sockets with these factories; sockets that none of them wants are closed."""
        wanted: dict[_Key, Any] = {}
        for listener, factory in factories.items():
            for key in self._keys(listener, self._queue_directory):
                if key in self._bound:
                    wanted[key] = factory
        earlier = [factory for factory in self._factories if factory.connections]
        self._factories = [*factories.values(), *earlier]
        for key in set(self._bound) - set(wanted):
            self._close(key)
        for key, factory in wanted.items():
            port = self._ports.get(key)
            if port is not None:
                self._exchange(port, factory)
            else:
                sock = self._bound[key]
                self._ports[key] = self._reactor.adoptStreamPort(sock.fileno(), sock.family, factory)

    @staticmethod
    def _exchange(port: Any, factory: Any) -> None:
        old, port.factory = port.factory, factory
        factory.doStart()
        old.doStop()

    def _close(self, key: _Key) -> None:
        port = self._ports.pop(key, None)
        if port is not None:
            port.stopListening()
        sock = self._bound.pop(key)
        sock.close()
        if key[1] < 0 and os.path.exists(key[0]):
            os.unlink(key[0])

    async def stop(self, seconds: float) -> None:
        """Close all sockets, then the sessions: each ends when it next waits for its client; one that waits for us (for
        the queue, for a table) is given ``seconds`` to get its answer."""
        for key in list(self._bound):
            self._close(key)
        for connection in self._connections():
            connection.readConnectionLost()
        end = self._reactor.seconds() + seconds
        while self._connections() and self._reactor.seconds() < end:
            await deferLater(self._reactor, _POLL, lambda: None)
        for connection in self._connections():
            connection.transport.abortConnection()

    def _connections(self) -> list[Any]:
        return [connection for factory in self._factories for connection in factory.connections]
