"""Defaults that depend on the machine or on other settings: myhostname, mydomain, mynetworks, compatibility.

Follows postconf(5) under those names. Each function gives main.cf text and asks `Settings` for whatever it depends on.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING

from mailer.config.errors import ConfigError
from mailer.config.machine import Address, Interface
from mailer.config.values import split_list

if TYPE_CHECKING:
    from mailer.config.settings import Settings

__all__ = ["DYNAMIC", "chosen_interfaces"]

_UNKNOWN_DOMAIN = "localdomain"


def _myhostname(settings: Settings) -> str:
    name = settings.machine.hostname
    if "." in name:
        return name
    return f"{name}.{settings.text('mydomain') if settings.is_set('mydomain') else _UNKNOWN_DOMAIN}"


def _mydomain(settings: Settings) -> str:
    _, dot, domain = settings.text("myhostname").partition(".")
    return domain if dot else _UNKNOWN_DOMAIN


def _mynetworks(settings: Settings) -> str:
    style = settings.text("mynetworks_style")
    network = _NETWORK.get(style)
    if network is None:
        raise ConfigError(f'unknown mynetworks mask style value "{style}" in "{style}"', "write host, subnet or class")
    shown: list[str] = []
    for interface in chosen_interfaces(settings):
        text = network(interface)
        if text not in shown:
            shown.append(text)
    return " ".join(shown)


def chosen_interfaces(settings: Settings) -> tuple[Interface, ...]:
    """The interface addresses that inet_interfaces and inet_protocols select. Raises ConfigError."""
    versions = _versions(settings.text("inet_protocols"))
    known = [interface for interface in settings.machine.interfaces if interface.address.version in versions]
    chosen: list[Interface] = []
    for word in split_list(settings.text("inet_interfaces")):
        if word.lower() == "all":
            wanted = known
        elif word.lower() == "loopback-only":
            wanted = [interface for interface in known if interface.address.is_loopback]
        else:
            wanted = _interfaces_of(word, settings, known, versions)
        chosen.extend(interface for interface in wanted if interface not in chosen)
    return tuple(chosen)


def _versions(text: str) -> set[int]:
    versions: set[int] = set()
    for word in split_list(text):
        if word.lower() not in _PROTOCOLS:
            raise ConfigError(f'unknown inet_protocols value "{word}" in "{text}"', "write all, ipv4 or ipv6")
        versions |= _PROTOCOLS[word.lower()]
    return versions


def _interfaces_of(word: str, settings: Settings, known: list[Interface], versions: set[int]) -> list[Interface]:
    bare = word[1:-1] if word[:1] == "[" and word[-1:] == "]" else word
    addresses: tuple[Address, ...]
    try:
        addresses = (ipaddress.ip_address(bare),)
    except ValueError:
        addresses = settings.machine.addresses_of(bare)
        if not addresses:
            problem = f"config variable inet_interfaces: host not found: {word}"
            raise ConfigError(problem, "name an address of this machine, all or loopback-only") from None
    found = []
    for address in addresses:
        if address.version not in versions:
            continue
        matching = [interface for interface in known if interface.address == address]
        if not matching:
            problem = f"parameter inet_interfaces: no local interface found for {address}"
            raise ConfigError(problem, "name an address of this machine, all or loopback-only")
        found += matching
    return found


def _host(interface: Interface) -> str:
    return _shown(interface.address, interface.address.max_prefixlen)


def _subnet(interface: Interface) -> str:
    return _shown(interface.address, interface.prefix)


def _class(interface: Interface) -> str:
    if interface.address.version == 6:
        return _subnet(interface)
    first = interface.address.packed[0]
    return _shown(interface.address, 8 if first < 128 else 16 if first < 192 else 24 if first < 224 else 32)


def _shown(address: Address, prefix: int) -> str:
    network = ipaddress.ip_network((address, prefix), strict=False)
    if network.version == 6:
        return f"[{network.network_address}]/{prefix}"
    return f"{network.network_address}/{prefix}"


_NETWORK: dict[str, Callable[[Interface], str]] = {"host": _host, "subnet": _subnet, "class": _class}
_PROTOCOLS = {"all": {4, 6}, "ipv4": {4}, "ipv6": {6}}

#: Parameters whose default is worked out, with the function that does it.
DYNAMIC: dict[str, Callable[[Settings], str]] = {
    "mydomain": _mydomain,
    "myhostname": _myhostname,
    "mynetworks": _mynetworks,
}
