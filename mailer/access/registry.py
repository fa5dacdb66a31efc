"""Every restriction that is known, by name."""

from __future__ import annotations

from collections.abc import Mapping

from mailer.access.restriction import Factory
from mailer.access.restrictions import (
    address,
    backup,
    certificate,
    client,
    destination,
    dnsbl,
    generic,
    helo,
    login,
    policy,
    servers,
    tables,
    verify,
)

__all__ = ["KNOWN"]

_MODULES = (
    generic,
    client,
    helo,
    address,
    destination,
    tables,
    servers,
    dnsbl,
    backup,
    policy,
    login,
    certificate,
    verify,
)

KNOWN: Mapping[str, Factory] = {
    restriction.name: restriction  # type: ignore[attr-defined]
    for module in _MODULES
    for restriction in module.RESTRICTIONS
}
