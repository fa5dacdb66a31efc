"""A stub resolver's dialogue with its name servers (RFC 1035, 5452, 6891): one question, one answer.

Every question goes out from a port of its own with an id of its own, and an answer counts only if it comes from the server
asked and repeats the question. Truncated answers are asked for again by TCP, servers that do not know EDNS0 without it.
What an answer means, and how long it may be kept, is for others.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet import defer, error, protocol
from twisted.internet.defer import Deferred
from twisted.names import dns
from twisted.python.failure import Failure

from mailer.dns.config import Resolv

__all__ = ["NoAnswer", "Stub"]

_UDP_SIZE = 1232  # the largest that passes without fragments everywhere (DNS flag day 2020)
_OPT = b"\0" + struct.pack("!HHIH", 41, _UDP_SIZE, 0, 0)
_TCP_LIMIT = 65535
_MOST_AT_ONCE = 200
_USABLE = (dns.OK, dns.ENAME)


class NoAnswer(Exception):
    """No server gave a usable answer in time."""


class _Broken(Exception):
    """This server, this time."""


def _encode(ident: int, query: dns.Query, edns: bool) -> bytes:
    # AD in a question asks for it in the answer (RFC 6840 5.7).
    message = dns.Message(id=ident, recDes=1, authenticData=1)
    message.queries.append(query)
    octets = message.toStr()
    # twisted.names has no public OPT record: put it there by hand, and count it.
    return octets[:10] + b"\0\1" + octets[12:] + _OPT if edns else octets


def _decode(octets: bytes, ident: int, query: dns.Query) -> Any:
    """The message, or None if it is not the answer to this question. :raise _Broken: it is, but makes no sense."""
    if len(octets) < 12 or int.from_bytes(octets[:2], "big") != ident or not octets[2] & 0x80:
        return None
    message = dns.Message()
    try:
        message.fromStr(octets)
    except Exception as problem:  # a hostile packet may fail in any way; it is this server's answer all the same
        raise _Broken(f"malformed answer: {problem!r}") from None
    if message.queries and not _same(message.queries[0], query):
        return None
    return message


def _same(one: dns.Query, other: dns.Query) -> bool:
    return bool(one.type == other.type and one.name.name.lower() == other.name.name.lower())


class _Datagram(protocol.DatagramProtocol):
    noisy = False  # a line in the log for the port of every question is no news
    transport: Any

    def __init__(self, server: tuple[str, int], octets: bytes, take: Callable[[bytes], None], refused: Any) -> None:
        self._server = server
        self._octets = octets
        self._take = take
        self._refused = refused

    def startProtocol(self) -> None:
        self.transport.connect(*self._server)  # the kernel drops what others send
        self.transport.write(self._octets)

    def datagramReceived(self, octets: bytes, addr: Any) -> None:
        self._take(octets)

    def connectionRefused(self) -> None:
        self._refused()


class _Stream(protocol.Protocol):
    transport: Any

    def __init__(self, octets: bytes, take: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self._octets = octets
        self._take = take
        self._lost = lost
        self._buffer = b""

    def connectionMade(self) -> None:
        self.transport.write(len(self._octets).to_bytes(2, "big") + self._octets)

    def dataReceived(self, data: bytes) -> None:
        self._buffer = (self._buffer + data)[: _TCP_LIMIT + 2]
        size = int.from_bytes(self._buffer[:2], "big")
        if len(self._buffer) >= 2 + max(size, 1):
            self._take(self._buffer[2 : 2 + size])

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self._lost()


class _Call(protocol.ClientFactory):
    noisy = False

    def __init__(self, stream: _Stream, failed: Callable[[], None]) -> None:
        self._stream = stream
        self._failed = failed

    def buildProtocol(self, addr: Any) -> _Stream:
        return self._stream

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._failed()


class Stub:
    """Asks name servers.

    :param reactor: IReactorUDP, IReactorTCP, IReactorTime.
    :param resolv: gives the current Resolv.
    :param number: a random number below its argument; ids must not be guessable.
    """

    def __init__(self, reactor: Any, resolv: Callable[[], Resolv], number: Callable[[int], int]) -> None:
        self._reactor = reactor
        self._resolv = resolv
        self._number = number
        self._running = 0
        self._queue: deque[Deferred[None]] = deque()
        self._plain: set[tuple[str, int]] = set()  # servers that do not understand EDNS0

    async def ask(self, name: bytes, kind: int) -> Any:
        """:return: the message of the first server with a usable answer (NOERROR or NXDOMAIN). :raise NoAnswer:"""
        if self._running >= _MOST_AT_ONCE:
            turn: Deferred[None] = Deferred()
            self._queue.append(turn)
            await turn
        self._running += 1
        try:
            return await self._rounds(dns.Query(name, kind, dns.IN))
        finally:
            self._running -= 1
            if self._queue:
                self._queue.popleft().callback(None)

    async def _rounds(self, query: dns.Query) -> Any:
        resolv = self._resolv()
        servers = list(resolv.servers)
        if resolv.rotate:
            start = self._number(len(servers))
            servers = servers[start:] + servers[:start]
        problems = []
        for _ in range(resolv.attempts):
            for server in servers:
                try:
                    return await self._exchange(server, query, resolv.timeout)
                except _Broken as problem:
                    problems.append(f"{server[0]}: {problem}")
        raise NoAnswer("; ".join(problems[-len(servers) :]))

    async def _exchange(self, server: tuple[str, int], query: dns.Query, timeout: float) -> Any:
        edns = server not in self._plain
        message = await self._send(self._udp, server, query, timeout, edns)
        if edns and message.rCode in (dns.EFORMAT, dns.ENOTIMP):
            message = await self._send(self._udp, server, query, timeout, False)
            if message.rCode in _USABLE:
                if len(self._plain) > 16:
                    self._plain.clear()
                self._plain.add(server)
        if message.trunc:
            message = await self._send(self._tcp, server, query, timeout, edns)
        if message.rCode not in _USABLE:
            raise _Broken(f"response code {message.rCode}")
        return message

    def _send(self, way: Any, server: tuple[str, int], query: dns.Query, timeout: float, edns: bool) -> Deferred[Any]:
        """One question to one server by one way. Errback: _Broken."""
        ident = self._number(65536)
        done: Deferred[Any] = Deferred()

        def fail(text: str) -> None:
            if not done.called:
                done.errback(_Broken(text))

        def take(octets: bytes) -> None:
            try:
                message = _decode(octets, ident, query)
            except _Broken as problem:
                fail(str(problem))
                return
            if message is not None and not done.called:
                done.callback(message)

        try:
            close = way(server, _encode(ident, query, edns), take, fail, timeout)
        except (error.CannotListenError, OSError) as problem:
            return defer.fail(_Broken(str(problem)))
        timer = self._reactor.callLater(timeout, fail, "timed out")

        def tidy(result: Any) -> Any:
            if timer.active():
                timer.cancel()
            close()
            return result

        return done.addBoth(tidy)

    def _udp(self, server: tuple[str, int], octets: bytes, take: Any, fail: Any, timeout: float) -> Any:
        datagram = _Datagram(server, octets, take, lambda: fail("connection refused"))
        port = self._reactor.listenUDP(0, datagram, "::" if ":" in server[0] else "", 8192)
        return port.stopListening

    def _tcp(self, server: tuple[str, int], octets: bytes, take: Any, fail: Any, timeout: float) -> Any:
        stream = _Stream(octets, take, lambda: fail("connection lost"))
        connector = self._reactor.connectTCP(*server, _Call(stream, lambda: fail("cannot connect")), timeout)
        return connector.disconnect
