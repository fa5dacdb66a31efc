"""Listening sockets: bound before anything else is done, handed to the reactor when the service is ready.

A client that connects in between waits in the kernel's backlog instead of being refused. master(5), postconf(5)
inet_interfaces.
"""

from __future__ import annotations

import os
import socket
import stat

__all__ = ["CannotBind", "bind_inet", "bind_unix"]

BACKLOG = 1024


class CannotBind(Exception):
    """A socket that is not to be had; the text names the address and the reason."""


def bind_inet(address: str, port: int) -> socket.socket:
    """A listening TCP socket. IPv6 sockets take IPv6 only: ``0.0.0.0`` has a socket of its own.

    :raise CannotBind:
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    name = f"[{address}]:{port}"
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise CannotBind(f"socket for {name}: {error.strerror}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise CannotBind(f"bind {name}: {error.strerror}") from error
    return sock


def bind_unix(path: str, kind: int = socket.SOCK_STREAM, mode: int = 0o666) -> socket.socket:
    """A UNIX socket, listening if it is a stream; a socket left behind by a dead process is replaced.

    :raise CannotBind: the path is in use, is no socket, or cannot be made.
    """
    sock = socket.socket(socket.AF_UNIX, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        _remove_stale(path, kind)
        sock.bind(path)
        os.chmod(path, mode)
        if kind == socket.SOCK_STREAM:
            sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise CannotBind(f"bind {path}: {error.strerror or error}") from error
    return sock


def _remove_stale(path: str, kind: int) -> None:
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(None, "exists and is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, kind) as probe:
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            os.unlink(path)
            return
    raise OSError(None, "another process listens there")
