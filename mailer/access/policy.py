"""Asking SMTP policy servers (SMTPD_POLICY_README): one request of ``name=value`` lines, one answer ``action=...``.

Connections are kept and used again: by one request at a time, as the protocol has no other order, so that as many are open as
requests are under way. Nothing here knows what an answer means or what is asked.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from mailer.access.policyserver import PolicyServer
from mailer.message.status import TemporaryError

__all__ = ["PolicyClient", "PolicyFailed"]

_LONGEST_ANSWER = 1 << 16
_TIMED_OUT = "Connection timed out"
_LOST = "Connection reset by peer"


class PolicyFailed(Exception):
    """The server cannot be asked now; the log knows why."""


class _Failed(Exception):
    """One attempt has failed; the text is errno's. ``unlogged``: a server that has restarted looks like this."""

    def __init__(self, reason: str, unlogged: bool = False) -> None:
        super().__init__(reason)
        self.unlogged = unlogged


class _Connection(Protocol):
    """One connection; ``used`` counts its requests, ``opened`` and ``rested`` are times."""

    def __init__(self, opened: float, connected: Deferred[_Connection]) -> None:
        self.opened = self.rested = opened
        self._connected = connected
        self.used = 0
        self.lost = False
        self._buffer = b""
        self._answer: Deferred[bytes] | None = None

    def connectionMade(self) -> None:
        self._connected.callback(self)

    def ask(self, request: bytes) -> Deferred[bytes]:
        """Fires with the answer's lines, or fails with _Failed."""
        self._buffer = b""
        self.used += 1
        answer = self._answer = Deferred()
        assert self.transport is not None
        self.transport.write(request)
        return answer

    def dataReceived(self, data: bytes) -> None:
        if self._answer is None:  # nobody asked: the connection is out of step
            self.close()
            return
        self._buffer += data
        end = self._buffer.find(b"\n\n")
        if end >= 0 and end + 2 == len(self._buffer):
            answer, self._answer = self._answer, None
            answer.callback(self._buffer[:end])
        elif end >= 0 or len(self._buffer) > _LONGEST_ANSWER:
            self.give_up("Protocol error")

    def give_up(self, reason: str, unlogged: bool = False) -> None:
        """End the request under way with a failure."""
        answer, self._answer = self._answer, None
        self.close()
        if answer is not None:
            answer.errback(_Failed(reason, unlogged))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.errback(_Failed(_LOST, True))

    def close(self) -> None:
        self.lost = True
        if self.transport is not None:
            self.transport.loseConnection()


class _Calling(ClientFactory):
    noisy = False

    def __init__(self, now: float) -> None:
        self._now = now
        self.connected: Deferred[_Connection] = Deferred()

    def buildProtocol(self, addr: Any) -> _Connection:
        return _Connection(self._now, self.connected)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        number = getattr(reason.value, "osError", None)
        self.connected.errback(_Failed(os.strerror(number) if isinstance(number, int) else _TIMED_OUT))


class PolicyClient:
    """The client of one server.

    :param context: ``reactor`` (IReactorTCP, IReactorUNIX, IReactorTime), ``dns``, ``log``, ``queue_directory``.
    """

    def __init__(self, server: PolicyServer, context: Any) -> None:
        self.server = server
        self._reactor = context.reactor
        self._dns = context.dns
        self._log = context.log
        self._directory = context.queue_directory
        self._resting: list[_Connection] = []
        self._tidying: Any = None

    async def ask(self, request: bytes) -> str:
        """:param request: lines, with the empty one at the end. :return: the action.
        :raise PolicyFailed: after smtpd_policy_service_try_limit attempts."""
        server = self.server
        for attempt in range(1, server.try_limit + 1):
            try:
                return await self._attempt(request)
            except _Failed as error:
                last = attempt == server.try_limit
                if last or not error.unlogged:
                    self._log.warning(f"problem talking to server {server.name}: {error}")
            if not last:
                await deferLater(self._reactor, server.retry_delay)
        raise PolicyFailed

    async def _attempt(self, request: bytes) -> str:
        connection = self._rested() or await self._connect()
        timer = self._reactor.callLater(self.server.timeout, connection.give_up, _TIMED_OUT)
        try:
            lines = (await connection.ask(request)).decode("utf-8", "surrogateescape").split("\n")
        finally:
            if timer.active():
                timer.cancel()
        action = next((line[7:] for line in lines if line.startswith("action=")), None)
        if action is None:
            connection.close()
            self._log.warning(f"missing attribute action in input from {self.server.name}")
            raise _Failed("Success", True)
        self._rest(connection)
        return action

    # Connections at rest.

    def _rested(self) -> _Connection | None:
        now, server = self._reactor.seconds(), self.server
        while self._resting:
            connection = self._resting.pop()
            if connection.lost:
                continue
            if now - connection.rested < server.max_idle and now - connection.opened < server.max_ttl:
                return connection
            connection.close()
        return None

    def _rest(self, connection: _Connection) -> None:
        server = self.server
        if connection.lost or (server.request_limit and connection.used >= server.request_limit):
            connection.close()
            return
        connection.rested = self._reactor.seconds()
        self._resting.append(connection)
        if self._tidying is None:
            self._tidying = self._reactor.callLater(server.max_idle, self._tidy)

    def _tidy(self) -> None:
        """Close what nobody has used for long."""
        self._tidying = None
        now, server = self._reactor.seconds(), self.server
        for connection in self._resting:
            if now - connection.rested >= server.max_idle or now - connection.opened >= server.max_ttl:
                connection.close()
        self._resting = [connection for connection in self._resting if not connection.lost]
        if self._resting:
            self._tidying = self._reactor.callLater(server.max_idle, self._tidy)

    def close(self) -> None:
        """Close connections at rest."""
        if self._tidying is not None:
            self._tidying.cancel()
            self._tidying = None
        for connection in self._resting:
            connection.close()
        self._resting.clear()

    # Connecting.

    async def _connect(self) -> _Connection:
        server = self.server
        try:
            if not server.port:
                return await self._call(os.path.join(self._directory, server.host))
            last: _Failed | None = None
            for address in await self._addresses():
                try:
                    return await self._call(address)
                except _Failed as error:
                    last = error
            raise last or _Failed("Name or service not known")
        except _Failed as error:
            self._log.warning(f"connect to {server.name}: {error}")
            raise _Failed(str(error), str(error) == os.strerror(2)) from None

    async def _addresses(self) -> tuple[str, ...]:
        try:
            answer = await self._dns.addresses(self.server.host)
        except TemporaryError as error:
            raise _Failed("Temporary failure in name resolution") from error
        addresses: tuple[str, ...] = answer.records
        return addresses

    async def _call(self, where: str) -> _Connection:
        server = self.server
        calling = _Calling(self._reactor.seconds())
        if server.port:
            self._reactor.connectTCP(where, server.port, calling, server.timeout)
        else:
            self._reactor.connectUNIX(where, calling, server.timeout)
        return await calling.connected
