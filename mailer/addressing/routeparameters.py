"""The settings that say where mail goes, under one name for mail and for address probes (address_verify_...)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["RouteParameters", "parameters", "probe_parameters"]


@dataclass(frozen=True)
class RouteParameters:
    """The transports are ``transport:nexthop`` texts by address class; ``prefix`` is what the log puts before the names of
    the tables."""

    local: str
    virtual: str
    relay: str
    default: str
    relayhost: str
    transport_maps: tuple[str, ...]
    sender_transports: tuple[str, ...]
    sender_relayhosts: tuple[str, ...]
    prefix: str = ""


def parameters(settings: Any) -> RouteParameters:
    return RouteParameters(
        settings.local_transport,
        settings.virtual_transport,
        settings.relay_transport,
        settings.default_transport,
        settings.relayhost,
        settings.transport_maps,
        settings.sender_dependent_default_transport_maps,
        settings.sender_dependent_relayhost_maps,
    )


def probe_parameters(settings: Any) -> RouteParameters:
    return RouteParameters(
        settings.address_verify_local_transport,
        settings.address_verify_virtual_transport,
        settings.address_verify_relay_transport,
        settings.address_verify_default_transport,
        settings.address_verify_relayhost,
        settings.address_verify_transport_maps,
        settings.address_verify_sender_dependent_default_transport_maps,
        settings.address_verify_sender_dependent_relayhost_maps,
        "address_verify_",
    )
