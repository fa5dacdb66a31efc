"""The comsat service of this machine is told of new mail (postconf(5): biff; comsat(8)): one datagram, and no answer."""

from __future__ import annotations

import contextlib
import socket

__all__ = ["announce"]

_PORT = 512


def announce(user: str, offset: int, port: int = _PORT) -> None:
    """:param offset: where in the mailbox file the message begins. Nobody listens on most machines, which is no failure."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(f"{user}@{offset}\0".encode("utf-8", "surrogateescape"), ("127.0.0.1", port))
