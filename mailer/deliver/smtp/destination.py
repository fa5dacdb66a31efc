"""Nexthop forms (smtp(8), SMTP and LMTP DESTINATION SYNTAX): what a nexthop says, before anything is looked up."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["BadDestination", "Destination", "known_ports", "parse", "split_sites"]


class BadDestination(ValueError):
    """A nexthop that cannot be understood: a mistake in the configuration, to be mended before mail can go."""


@dataclass(frozen=True, slots=True)
class Destination:
    """``site`` is the text it came from. ``path`` is set for UNIX-domain ones; else ``host`` is a domain, a host name or
    an address literal, ``mx`` says whether mail exchangers are to be looked up for it."""

    site: str
    host: str = ""
    port: int = 0
    mx: bool = False
    path: str = ""


_BRACKETED = re.compile(r"\[([^\]]*)\](?::(.*))?", re.DOTALL).fullmatch


def split_sites(nexthop: str) -> list[str]:
    """The members of a nexthop that names several."""
    return [site for site in re.split(r"[,\s]+", nexthop) if site]


def known_ports(pairs: tuple[str, ...]) -> dict[str, int]:
    """known_tcp_ports: ``smtp=25``, ``smtps=submissions=465``."""
    ports = {}
    for pair in pairs:
        *names, number = pair.split("=")
        if number.isdigit():
            ports.update(dict.fromkeys(names, int(number)))
    return ports


def parse(site: str, service: str, lmtp: bool = False, ports: Mapping[str, int] | None = None) -> Destination:
    """Understand one site.

    :param service: the port, or its name, when the site says none.
    :param lmtp: whether ``unix:`` and ``inet:`` have a meaning, and names have no mail exchangers.
    :raise BadDestination: with the reason.
    """
    text = site
    if lmtp:
        if site.startswith("unix:"):
            return Destination(site, path=site[5:])
        text = site.removeprefix("inet:")
    host, port = _host_port(text, site)
    return Destination(site, host, _port(port or service, site, ports or {}), not lmtp and not text.startswith("["))


def _host_port(text: str, site: str) -> tuple[str, str]:
    bracketed = _BRACKETED(text)
    if bracketed:
        host, port = bracketed.group(1), bracketed.group(2)
        if host[:5].lower() == "ipv6:":
            host = host[5:]
    elif text.startswith("["):
        raise BadDestination(f'missing "]" in server description: {site}')
    elif _is_ipv6(text):
        host, port = text, None
    else:
        host, colon, port = text.rpartition(":")
        if not colon:
            host, port = text, None
    if not host:
        raise BadDestination(f"missing hostname in server description: {site}")
    if port == "":
        raise BadDestination(f"missing service in server description: {site}")
    return host, port or ""


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def _port(service: str, site: str, ports: Mapping[str, int]) -> int:
    if service.isascii() and service.isdigit():
        number = int(service[:9])
        if not 0 < number < 65536:
            raise BadDestination(f"bad network port: {service} for destination: {site}")
        return number
    if service in ports:
        return ports[service]
    try:
        return socket.getservbyname(service, "tcp")
    except OSError:
        raise BadDestination(f"unknown service: {service}/tcp") from None
