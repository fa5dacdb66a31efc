"""Sending at once, and what happens when the kernel takes less or nothing."""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport

from mailer.net.prompt import send


class Socket:
    """Takes so many octets at each send; None: it would block."""

    def __init__(self, *takes: int | None | Exception) -> None:
        self.takes = list(takes)
        self.sent = b""

    def setblocking(self, flag: bool) -> None:
        pass

    def fileno(self) -> int:
        return 5

    def send(self, octets: Any) -> int:
        takes = self.takes.pop(0)
        if takes is None:
            raise BlockingIOError(11, "would block")
        if isinstance(takes, Exception):
            raise takes
        self.sent += bytes(octets[:takes])
        return min(takes, len(octets))


class Reactor:
    def __init__(self) -> None:
        self.writing = False

    def addReader(self, reader: Any) -> None:
        pass

    def addWriter(self, writer: Any) -> None:
        self.writing = True

    def removeReader(self, reader: Any) -> None:
        pass

    def removeWriter(self, writer: Any) -> None:
        self.writing = False


def connected(*takes: int | None | Exception) -> tuple[tcp.Server, Socket, Reactor]:
    socket, reactor = Socket(*takes), Reactor()
    return tcp.Server(socket, Protocol(), ("127.0.0.1", 1), None, 0, reactor), socket, reactor  # type: ignore[arg-type]


def test_sent_at_once() -> None:
    transport, socket, reactor = connected(100)
    send(transport, b"250 Ok\r\n")
    assert socket.sent == b"250 Ok\r\n"
    assert not reactor.writing


def test_the_rest_is_queued_and_keeps_its_order() -> None:
    transport, socket, reactor = connected(3, 100)
    send(transport, b"abcdef")
    send(transport, b"ghi")
    assert socket.sent == b"abc" and reactor.writing
    transport.doWrite()
    assert socket.sent == b"abcdefghi"


def test_a_full_kernel_buffer() -> None:
    transport, socket, reactor = connected(None, 100)
    send(transport, b"abc")
    assert socket.sent == b"" and reactor.writing
    transport.doWrite()
    assert socket.sent == b"abc"


def test_a_broken_connection_is_left_to_the_reactor() -> None:
    transport, socket, reactor = connected(ConnectionResetError(104, "reset"), ConnectionResetError(104, "reset"))
    send(transport, b"abc")
    assert reactor.writing
    assert isinstance(transport.doWrite(), Exception)


def test_other_transports_are_written_to() -> None:
    transport = StringTransport()
    send(transport, b"abc")
    assert transport.value() == b"abc"
