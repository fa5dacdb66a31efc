"""Which addresses are ours: what inet_interfaces and proxy_interfaces mean in numbers.

Names are looked up with the system's resolver, once, at start.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailer.config.machine import Machine

__all__ = ["own_addresses"]


def own_addresses(
    names: Iterable[str], protocols: Iterable[str] = ("ipv4", "ipv6"), machine: Machine | None = None
) -> frozenset[str]:
    """The literals behind ``all``, ``loopback-only``, host names and addresses; unknown names stand for nothing.

    :param protocols: inet_protocols as it is written: ``ipv4``, ``ipv6``, ``all``.
    """
    machine = machine or Machine()
    found: set[str] = set()
    for name in names:
        if name == "all":
            found.update(str(interface.address) for interface in machine.interfaces)
        elif name == "loopback-only":
            found.update(("127.0.0.1", "::1"))
        else:
            bare = name.strip("[]")
            bare = bare[5:] if bare[:5].lower() == "ipv6:" else bare
            found.update(map(str, machine.addresses_of(bare)))
    wanted = {name.lower() for name in protocols}
    wanted = {"ipv4", "ipv6"} if "all" in wanted else wanted
    return frozenset(each for each in found if ("ipv6" if ":" in each else "ipv4") in wanted)
