"""The control channel between master and one of its daemons: small JSON packets, some with descriptors.

A sequenced-packet socket pair: a packet arrives whole or not at all, and its descriptors with it. Neither side believes the
other: what is too long, no JSON, or has no ``type`` ends the channel. What the packets mean is said in `mailer.master.child`.
"""

from __future__ import annotations

import array
import json
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IReadWriteDescriptor
from zope.interface import implementer

__all__ = ["Broken", "Channel", "HUNG_UP", "pair", "receive", "send"]

#: Why a channel was lost: the other side has gone.
HUNG_UP = "hung up"

#: Octets of a packet, and descriptors with it (the kernel takes 253).
PACKET = 1 << 16
DESCRIPTORS = 240
_INT = array.array("i").itemsize
_ROOM = socket.CMSG_SPACE(DESCRIPTORS * _INT)
#: Packets that wait for the other side to read.
_MOST_WAITING = 1000
_AT_ONCE = 50

Message = dict[str, Any]


class Broken(Exception):
    """The other side talks nonsense."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a new channel."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _packed(message: Message) -> bytes:
    data = json.dumps(message).encode("ascii")
    if len(data) > PACKET:
        raise ValueError(f"a packet of {len(data)} octets: {message.get('type')}")
    return data


def _send(sock: socket.socket, data: bytes, descriptors: Sequence[int]) -> None:
    ancillary = []
    if descriptors:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    sock.sendmsg([data], ancillary)


def send(sock: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Blocking, for the time before a reactor runs. :raise OSError:"""
    _send(sock, _packed(message), descriptors)


def receive(sock: socket.socket) -> tuple[Message, list[int]] | None:
    """One packet and its descriptors; None when the other side has gone.

    :raise BlockingIOError: there is none now. :raise Broken:
    """
    data, ancillary, flags, _ = sock.recvmsg(PACKET, _ROOM, socket.MSG_CMSG_CLOEXEC)
    descriptors: list[int] = []
    for level, kind, octets in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors += array.array("i", octets[: len(octets) - len(octets) % _INT])
    if not data:
        _close(descriptors)
        return None
    try:
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise Broken("a packet that is too long")
        message = json.loads(data)
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise Broken("a packet without a type")
    except ValueError as error:
        _close(descriptors)
        raise Broken("a packet that is no JSON") from error
    except Broken:
        _close(descriptors)
        raise
    return message, descriptors


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


@implementer(IReadWriteDescriptor)
class Channel:
    """One end, in the reactor.

    :param received: given each packet and its descriptors, which it has to close.
    :param lost: called once, with a reason, when the other side has gone or talks nonsense; not after ``close``.
    """

    def __init__(
        self,
        sock: socket.socket,
        reactor: Any,
        received: Callable[[Message, list[int]], None],
        lost: Callable[[str], None],
    ) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._reactor = reactor
        self._received = received
        self._lost = lost
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self._open = True
        reactor.addReader(self)

    def send(self, kind: str, descriptors: Sequence[int] = (), /, **values: Any) -> None:
        """Say something; forgotten when the channel has ended. The descriptors stay the caller's."""
        if not self._open:
            return
        data = _packed({**values, "type": kind})
        if not self._waiting:
            try:
                _send(self._socket, data, descriptors)
                return
            except BlockingIOError:
                self._reactor.addWriter(self)
            except OSError:
                self._end(HUNG_UP)
                return
        if len(self._waiting) >= _MOST_WAITING:
            self._end("the other side does not read")
            return
        self._waiting.append((data, [os.dup(descriptor) for descriptor in descriptors]))

    def fileno(self) -> int:
        return self._socket.fileno() if self._open else -1

    def logPrefix(self) -> str:
        return "control"

    def doWrite(self) -> None:
        while self._waiting:
            data, descriptors = self._waiting[0]
            try:
                _send(self._socket, data, descriptors)
            except BlockingIOError:
                return
            except OSError:
                self._end(HUNG_UP)
                return
            self._waiting.popleft()
            _close(descriptors)
        self._reactor.removeWriter(self)

    def doRead(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet = receive(self._socket)
            except BlockingIOError:
                return
            except Broken as error:
                self._end(str(error))
                return
            except ConnectionResetError:
                continue  # it has ended without reading all; what it has said before comes next, then the end
            except OSError:
                self._end(HUNG_UP)
                return
            if packet is None:
                self._end(HUNG_UP)
                return
            self._received(*packet)
            if not self._open:
                return

    def connectionLost(self, reason: Any) -> None:
        """The reactor ends, or has found the descriptor dead."""
        self._end(HUNG_UP)

    def close(self) -> None:
        """Hang up, without another word."""
        if not self._open:
            return
        self._open = False
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        for _, descriptors in self._waiting:
            _close(descriptors)
        self._waiting.clear()
        self._socket.close()

    def _end(self, why: str) -> None:
        if self._open:
            self.close()
            self._lost(why)
