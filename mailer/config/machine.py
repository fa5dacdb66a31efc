"""What the machine itself says: its name and its network interfaces.

Read when asked, never at import. Knows no parameter; `mailer.config.dynamic` turns this into defaults.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

__all__ = ["Address", "Interface", "Machine", "read_interfaces"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Interface:
    """One address of a network interface and the length of its network prefix."""

    address: Address
    prefix: int


class Machine:
    """The facts that defaults depend on; each is read once, at first use. Tests give functions of their own."""

    def __init__(
        self,
        hostname: Callable[[], str] = socket.gethostname,
        interfaces: Callable[[], tuple[Interface, ...]] | None = None,
        addresses_of: Callable[[str], tuple[Address, ...]] | None = None,
    ) -> None:
        self._hostname = hostname
        self._interfaces = interfaces or read_interfaces
        #: Numeric addresses of a host name; empty when there are none. May consult the system's resolver.
        self.addresses_of = addresses_of or _addresses_of

    @cached_property
    def hostname(self) -> str:
        return self._hostname()

    @cached_property
    def interfaces(self) -> tuple[Interface, ...]:
        return self._interfaces()


def _addresses_of(name: str) -> tuple[Address, ...]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found)


class _SockAddr(ctypes.Structure):
    _fields_ = [("family", ctypes.c_ushort), ("data", ctypes.c_ubyte * 26)]


class _IfAddrs(ctypes.Structure):
    pass


_IfAddrs._fields_ = [
    ("next", ctypes.POINTER(_IfAddrs)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.POINTER(_SockAddr)),
    ("netmask", ctypes.POINTER(_SockAddr)),
]

_IFF_UP = 1


def read_interfaces() -> tuple[Interface, ...]:
    """The addresses of all interfaces that are up, through getifaddrs(3): IPv4 first, then IPv6."""
    libc = ctypes.CDLL(None, use_errno=True)
    head = ctypes.POINTER(_IfAddrs)()
    if libc.getifaddrs(ctypes.byref(head)) != 0:
        raise OSError(ctypes.get_errno(), "getifaddrs")
    found: list[Interface] = []
    try:
        entry = head
        while entry:
            item = entry.contents
            if item.address and item.netmask and item.flags & _IFF_UP:
                interface = _interface(item.address.contents, item.netmask.contents)
                if interface is not None and interface not in found:
                    found.append(interface)
            entry = item.next
    finally:
        libc.freeifaddrs(head)
    return tuple(sorted(found, key=lambda interface: interface.address.version))


def _interface(address: _SockAddr, netmask: _SockAddr) -> Interface | None:
    if address.family == socket.AF_INET:
        start, size = 2, 4  # struct sockaddr_in: port, then the address
    elif address.family == socket.AF_INET6:
        start, size = 6, 16  # struct sockaddr_in6: port, flow label, then the address
    else:
        return None
    prefix = bin(int.from_bytes(bytes(netmask.data[start : start + size]), "big")).count("1")
    return Interface(ipaddress.ip_address(bytes(address.data[start : start + size])), prefix)
