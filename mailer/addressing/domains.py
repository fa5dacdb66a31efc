"""The addresses of our own interfaces, as domain literals."""

from __future__ import annotations

import ipaddress
from typing import Any

from mailer.config.dynamic import chosen_interfaces

__all__ = ["literal", "own_addresses"]


def literal(domain: str) -> str | None:
    """An address literal in one form, ``[192.0.2.1]`` or ``[ipv6:2001:db8::1]``; None if it is no proper one."""
    inner = domain[1:-1]
    try:
        if inner[:5].lower() == "ipv6:":
            number = ipaddress.IPv6Address(inner[5:])
            address = str(number.ipv4_mapped or f"ipv6:{number}")
        else:
            address = str(ipaddress.IPv4Address(inner))
    except ValueError:
        return None
    return f"[{address}]" if domain.startswith("[") and domain.endswith("]") else None


def own_addresses(settings: Any) -> frozenset[str]:
    """The literals that mean this machine: inet_interfaces and proxy_interfaces. :raise ConfigError:"""
    texts = [str(interface.address) for interface in chosen_interfaces(settings)]
    texts += [text.strip("[]").lower().removeprefix("ipv6:") for text in settings.proxy_interfaces]
    return frozenset(f"[ipv6:{text}]" if ":" in text else f"[{text}]" for text in texts)
