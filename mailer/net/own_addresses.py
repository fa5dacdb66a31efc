"""Which addresses are ours: what inet_interfaces and proxy_interfaces mean in numbers.

Reads the interfaces from the system (Linux: SIOCGIFCONF and /proc/net/if_inet6; elsewhere only the loopback addresses are
known). Names are looked up with the system's resolver, once, at start.
"""

from __future__ import annotations

import array
import contextlib
import ipaddress
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

__all__ = ["interface_addresses", "own_addresses"]

_SIOCGIFCONF = 0x8912
_RECORD = 40 if struct.calcsize("P") == 8 else 32
_MOST_INTERFACES = 1024
_LOOPBACK = ("127.0.0.1", "::1")


def interface_addresses() -> list[str]:
    """The addresses of all interfaces of this machine, as literals."""
    return [*_ipv4(), *_ipv6()]


def _ipv4() -> list[str]:
    try:
        import fcntl
    except ImportError:
        return ["127.0.0.1"]
    room = array.array("B", bytes(_RECORD * _MOST_INTERFACES))
    pointer, size = room.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as query:
        try:
            filled = fcntl.ioctl(query.fileno(), _SIOCGIFCONF, struct.pack("iP", size, pointer))
        except OSError:
            return ["127.0.0.1"]
    length = struct.unpack("iP", filled)[0]
    octets = room.tobytes()[:length]
    return [socket.inet_ntoa(octets[start + 20 : start + 24]) for start in range(0, length, _RECORD)]


def _ipv6() -> list[str]:
    try:
        lines = Path("/proc/net/if_inet6").read_text("ascii").splitlines()
    except OSError:
        return ["::1"] if socket.has_ipv6 else []
    return [str(ipaddress.IPv6Address(int(line.split()[0], 16))) for line in lines]


def own_addresses(names: Iterable[str], protocols: Iterable[str] = ("ipv4", "ipv6")) -> frozenset[str]:
    """The literals behind ``all``, ``loopback-only``, host names and addresses; unknown names stand for nothing.

    :param protocols: inet_protocols as it is written: ``ipv4``, ``ipv6``, ``all``.
    """
    found: set[str] = set()
    for name in names:
        if name == "all":
            found.update(interface_addresses())
        elif name == "loopback-only":
            found.update(_LOOPBACK)
        else:
            bare = name.strip("[]")
            bare = bare[5:] if bare[:5].lower() == "ipv6:" else bare
            with contextlib.suppress(OSError):
                found.update(str(info[4][0]) for info in socket.getaddrinfo(bare, None, type=socket.SOCK_STREAM))
    wanted = {name.lower() for name in protocols}
    wanted = {"ipv4", "ipv6"} if "all" in wanted else wanted
    return frozenset(each for each in found if ("ipv6" if ":" in each else "ipv4") in wanted)
