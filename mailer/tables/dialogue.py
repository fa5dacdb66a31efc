"""Tables that ask a server over a stream: a request, then its one reply (tcp_table(5), socketmap_table(5), memcache_table(5)).

A few connections are kept, each with one request at a time, so a slow answer holds up nobody else's. Knows no protocol: the
caller gives the request and a function that recognises a whole reply.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

__all__ = ["BadReply", "Dialogues", "NoConnection", "NoReply", "Place", "parse_place"]

#: Connections of one table to its server at a time.
MOST = 8

#: Looks at what has come: ``reply, octets used``, or None while it is not whole. :raise BadReply:
Reader = Callable[[bytes], "tuple[Any, int] | None"]


class NoConnection(Exception):
    """The text says why."""


class NoReply(Exception):
    """The connection ended, or time did."""


class TooLate(NoReply):
    """Time ended. Asking once more would take as long again."""


class BadReply(Exception):
    """The text says what is wrong with it."""


@dataclass(frozen=True)
class Place:
    """``name`` is what messages say; ``path`` is "" for TCP; ``service`` a number or a name."""

    name: str
    path: str = ""
    host: str = ""
    service: str = ""


def parse_place(text: str) -> Place:
    """``host:port``, ``[address]:port``, ``:port``, ``port`` (of this machine)."""
    host, _, service = text.rpartition(":")
    return Place(text, host=host.strip("[]") or "localhost", service=service)


class _Dialogue(Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._buffer = b""
        self._read: Reader | None = None
        self._waiting: Deferred[Any] | None = None
        self.lost = False
        self.used = False

    def ask(self, request: bytes, read: Reader) -> Deferred[Any]:
        """The reply. Cancelling cuts the connection, since the reply may still come."""
        waiting: Deferred[Any] = Deferred(lambda cancelled: self._given_up())
        self._waiting, self._read = waiting, read
        self.transport.write(request)
        return waiting

    def dataReceived(self, data: bytes) -> None:
        if self._waiting is None or self._read is None:
            self.drop()  # a reply to no question: what comes next would be taken for another's answer
            return
        self._buffer += data
        try:
            found = self._read(self._buffer)
        except BadReply:
            self.drop(Failure())
            return
        if found is None:
            return
        reply, used = found
        if used < len(self._buffer):
            self.drop(NoReply("more than one reply"))
            return
        self._buffer = b""
        self.used = True
        waiting, self._waiting = self._waiting, None
        waiting.callback(reply)

    def _given_up(self) -> None:
        self._waiting = None  # told by being cancelled
        self.drop()

    def drop(self, reason: Failure | Exception | None = None) -> None:
        self.lost = True
        self._end(reason or NoReply("unexpected disconnect"))
        if self.transport is not None:
            self.transport.abortConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True
        self._end(NoReply("unexpected disconnect"))

    def _end(self, reason: Failure | Exception) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.errback(reason)


class Dialogues:
    """The connections to one place.

    :param limit: seconds for a connection, and again for a reply. :param context: for reactor and threads.
    """

    def __init__(self, place: Place, limit: float, context: Any) -> None:
        self.place = place
        self._limit = limit
        self._reactor = context.reactor
        self._idle: list[_Dialogue] = []
        self._open: set[_Dialogue] = set()
        self._busy = 0
        self._queue: deque[Deferred[None]] = deque()

    async def ask(self, request: bytes, read: Reader) -> Any:
        """:raise NoConnection, NoReply, BadReply:"""
        await self._turn()
        try:
            dialogue = self._take() or await self._connected()
            try:
                return await self._asked(dialogue, request, read)
            except NoReply as error:
                if not dialogue.used or isinstance(error, TooLate):
                    raise
            # It had been idle: the server may have hung up long ago, or be a new one.
            return await self._asked(await self._connected(), request, read)
        finally:
            self._busy -= 1
            if self._queue:
                self._queue.popleft().callback(None)

    async def _turn(self) -> None:
        if self._busy >= MOST:
            waiting: Deferred[None] = Deferred(lambda cancelled: self._queue.remove(cancelled))
            self._queue.append(waiting)
            await waiting
        self._busy += 1

    def _take(self) -> _Dialogue | None:
        while self._idle:
            dialogue = self._idle.pop()
            if not dialogue.lost:
                return dialogue
        return None

    async def _asked(self, dialogue: _Dialogue, request: bytes, read: Reader) -> Any:
        try:
            reply = await dialogue.ask(request, read).addTimeout(self._limit, self._reactor)
        except (TimeoutError, CancelledError):
            raise TooLate("Connection timed out") from None
        except BaseException:
            self._open.discard(dialogue)
            raise
        self._idle.append(dialogue)
        return reply

    async def _connected(self) -> _Dialogue:
        reason = "Connection refused"
        for endpoint in await self._endpoints():
            try:
                dialogue: _Dialogue = await endpoint.connect(Factory.forProtocol(_Dialogue))
            except (ConnectError, OSError) as error:
                number = getattr(error, "osError", None)
                reason = os.strerror(number) if isinstance(number, int) else str(error)
                continue
            self._open = {each for each in self._open if not each.lost} | {dialogue}
            return dialogue
        raise NoConnection(reason)

    async def _endpoints(self) -> list[Any]:
        if self.place.path:
            return [UNIXClientEndpoint(self._reactor, self.place.path, timeout=self._limit)]
        pool = getattr(self._reactor, "getThreadPool", None)
        try:
            if pool is None:
                found = self._resolved()
            else:
                found = await deferToThreadPool(self._reactor, pool(), self._resolved)
        except OSError as error:
            raise NoConnection(error.strerror or str(error)) from None
        kinds = {socket.AF_INET: TCP4ClientEndpoint, socket.AF_INET6: TCP6ClientEndpoint}
        return [kinds[family](self._reactor, host, port, self._limit) for family, host, port in found]

    def _resolved(self) -> list[tuple[int, str, int]]:
        """May wait for the resolver: called in a thread where there are any."""
        found = socket.getaddrinfo(self.place.host, self.place.service, type=socket.SOCK_STREAM)
        return [
            (family, str(address[0]), int(address[1]))
            for family, _, _, _, address in found
            if family in (socket.AF_INET, socket.AF_INET6)
        ]

    def close(self) -> None:
        for dialogue in self._open:
            dialogue.drop()
        self._open.clear()
        self._idle.clear()
