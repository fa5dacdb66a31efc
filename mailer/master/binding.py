"""The listening sockets of an instance across reloads, by name; who serves them is another matter.

What stays keeps its connections waiting in the kernel; what is new is bound before the new configuration is in force; what
is gone is closed, and its path removed. Sockets that were handed over at the start (systemd.socket(5)) are taken where
their addresses fit.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Mapping
from typing import Any

from mailer.master.plan import Plan, socket_name
from mailer.master.sockets import CannotBind, bind_inet, bind_unix

__all__ = ["Binding"]

_ABSENT = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class Binding:
    """``sockets`` are those bound now, see `mailer.master.plan.Listener.sockets` for their names.

    :param given: listening sockets that somebody has bound already, by name; those never asked for stay in there.
    """

    def __init__(self, log: Any, given: Mapping[str, socket.socket] | None = None) -> None:
        self._log = log
        self.given = dict(given or {})
        self.sockets: dict[str, socket.socket] = {}
        self._paths: dict[str, str] = {}

    def bind(self, plan: Plan) -> None:
        """Bind what the plan asks for and is not bound yet.

        :raise CannotBind: nothing is changed then.
        """
        queue_directory = plan.configuration.settings.queue_directory
        new: dict[str, socket.socket] = {}
        paths: dict[str, str] = {}
        try:
            for listener in plan.listeners:
                for address, port in listener.addresses:
                    name = socket_name(address, port)
                    if name not in self.sockets and name not in new:
                        bound = self._bind(name, address, port, len(listener.addresses) > 1)
                        if bound is not None:
                            new[name] = bound
                if listener.path and listener.path not in self.sockets:
                    path = os.path.join(queue_directory, listener.path)
                    new[listener.path] = self._take(listener.path) or bind_unix(path)
                    paths[listener.path] = path
        except CannotBind:
            for sock in new.values():
                sock.close()
            raise
        self.sockets.update(new)
        self._paths.update(paths)

    def _take(self, name: str) -> socket.socket | None:
        return self.given.pop(name, None)

    def _bind(self, name: str, address: str, port: int, optional_family: bool) -> socket.socket | None:
        given = self._take(name)
        if given is not None:
            return given
        if address == "0.0.0.0" and self._serves_both(port):
            return None
        try:
            return bind_inet(address, port)
        except CannotBind as error:
            cause = error.__cause__
            # A machine without IPv6, where inet_protocols has both: Postfix says so and goes on.
            if optional_family and ":" in address and isinstance(cause, OSError) and cause.errno in _ABSENT:
                self._log.warning(f"{error}: IPv6 is not available, going on without")
                return None
            raise

    def _serves_both(self, port: int) -> bool:
        """Whether a socket that was handed over takes IPv4 connections beside those of IPv6."""
        name = socket_name("::", port)
        sock = self.given.get(name) or self.sockets.get(name)
        return sock is not None and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)

    def keep(self, names: Iterable[str]) -> None:
        """Close what is not named."""
        for name in set(self.sockets) - set(names):
            self.sockets.pop(name).close()
            path = self._paths.pop(name, "")
            if path and os.path.exists(path):
                os.unlink(path)
