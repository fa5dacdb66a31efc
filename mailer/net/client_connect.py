"""Calling a server: a TCP or UNIX-domain connection within a time limit, and in the words of errno why there is none."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectBindError
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from mailer.net.client import ClientConnection

__all__ = ["BindFailed", "ConnectFailed", "call"]


class ConnectFailed(Exception):
    """No connection. The text is errno's, for example ``Connection refused``."""


class BindFailed(ConnectFailed):
    """Our own end could not have the address asked for."""


class _Call(ClientFactory):
    noisy = False

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.connected: Deferred[ClientConnection] = Deferred()

    def buildProtocol(self, addr: Any) -> ClientConnection:
        self._connection.made = self.connected
        return self._connection

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.connected.errback(_explained(reason))


def _explained(reason: Failure) -> ConnectFailed:
    error = reason.value
    number = getattr(error, "osError", None)
    text = os.strerror(number) if isinstance(number, int) else None
    if isinstance(error, ConnectBindError):
        return BindFailed(text or str(error))
    # Without errno it is the time limit that ended the attempt.
    return ConnectFailed(text or "Connection timed out")


def call(
    reactor: Any, connection: ClientConnection, host: str, port: int, timeout: float, bind: str = ""
) -> Deferred[ClientConnection]:
    """Connect.

    :param reactor: IReactorTCP and IReactorUNIX.
    :param connection: the protocol to connect.
    :param host: an address literal; a path when ``port`` is 0.
    :param timeout: seconds; 0: as long as the system tries.
    :param bind: our own address, "" for any.
    :return: fires with the connection, or fails with ConnectFailed.
    """
    factory = _Call(connection)
    if port:
        reactor.connectTCP(host, port, factory, timeout or None, (bind, 0) if bind else None)
    else:
        reactor.connectUNIX(host, factory, timeout or None)
    return factory.connected
