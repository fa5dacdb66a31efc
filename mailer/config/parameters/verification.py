"""Probes that find out whether an address is deliverable, and the cache of their results.

The meanings follow postconf(5), verify(8) and ADDRESS_VERIFICATION_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

verify = Area("address-verify")

PARAMETERS: tuple[Parameter, ...] = (
    verify.time(
        "address_verify_cache_cleanup_interval",
        "12h",
        "Time, in hours by default, between removals of old probe results, zero for never.",
        unit="h",
    ),
    verify.string(
        "address_verify_default_transport",
        "$default_transport",
        "Replacement for default_transport in address probes.",
        minimum=1,
    ),
    verify.string(
        "address_verify_local_transport",
        "$local_transport",
        "Replacement for local_transport in address probes.",
        minimum=1,
    ),
    verify.string(
        "address_verify_map",
        "$default_cache_db_type:$data_directory/verify_cache",
        "Table that keeps probe results across restarts, empty for memory only.",
    ),
    verify.boolean("address_verify_negative_cache", "yes", "Whether failed probes are remembered."),
    verify.time(
        "address_verify_negative_expire_time",
        "3d",
        "Time, in days by default, after which a failed probe's result is forgotten.",
        unit="d",
        minimum=1,
    ),
    verify.time(
        "address_verify_negative_refresh_time",
        "3h",
        "Time, in hours by default, after which a failed address is probed again.",
        unit="h",
        minimum=1,
    ),
    verify.integer(
        "address_verify_pending_request_limit",
        "5000",
        "Most probes in the queue, beyond which further ones are refused.",
        minimum=1,
    ),
    verify.integer(
        "address_verify_poll_count",
        "${stress?{1}:{3}}",
        "Times that the SMTP server asks for a probe's result before it defers the request.",
        minimum=1,
    ),
    verify.time("address_verify_poll_delay", "3s", "Seconds between questions for a probe's result.", minimum=1),
    verify.time(
        "address_verify_positive_expire_time",
        "31d",
        "Time, in days by default, after which a good probe's result is forgotten.",
        unit="d",
        minimum=1,
    ),
    verify.time(
        "address_verify_positive_refresh_time",
        "7d",
        "Time, in days by default, after which a good address is probed again.",
        unit="d",
        minimum=1,
    ),
    verify.string(
        "address_verify_relay_transport",
        "$relay_transport",
        "Replacement for relay_transport in address probes.",
        minimum=1,
    ),
    verify.string("address_verify_relayhost", "$relayhost", "Replacement for relayhost in address probes."),
    verify.string(
        "address_verify_sender",
        "$double_bounce_sender",
        "Envelope sender of address probes; <> or empty is the null sender.",
    ),
    verify.tables(
        "address_verify_sender_dependent_default_transport_maps",
        "$sender_dependent_default_transport_maps",
        "Replacement for sender_dependent_default_transport_maps in address probes.",
    ),
    verify.tables(
        "address_verify_sender_dependent_relayhost_maps",
        "$sender_dependent_relayhost_maps",
        "Replacement for sender_dependent_relayhost_maps in address probes.",
    ),
    verify.time(
        "address_verify_sender_ttl",
        "0s",
        "Seconds between changes of the variable part of the probe sender, zero for a fixed one.",
    ),
    verify.string(
        "address_verify_service_name",
        "verify",
        "Master.cf service that probes addresses and keeps the results.",
        minimum=1,
    ),
    verify.tables(
        "address_verify_transport_maps", "$transport_maps", "Replacement for transport_maps in address probes."
    ),
    verify.string(
        "address_verify_virtual_transport",
        "$virtual_transport",
        "Replacement for virtual_transport in address probes.",
        minimum=1,
    ),
)
