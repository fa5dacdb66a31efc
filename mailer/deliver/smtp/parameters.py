"""The settings that govern an SMTP or LMTP client, read once: ``smtp_...`` or ``lmtp_...`` under one name.

See postconf(5) for the meaning of each; the names here are those without the prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mailer.wire.smtp.client import Step

__all__ = ["ClientParameters", "lmtp_parameters", "smtp_parameters"]

_SECONDS = {
    Step.GREETING: 300.0, Step.EHLO: 300.0, Step.HELO: 300.0, Step.LHLO: 300.0, Step.STARTTLS: 300.0, Step.AUTH: 300.0,
    Step.XFORWARD_NAME: 300.0, Step.XFORWARD_HELO: 300.0, Step.MAIL: 300.0, Step.RCPT: 300.0, Step.DATA: 120.0,
    Step.BODY: 180.0, Step.DOT: 600.0, Step.RSET: 20.0, Step.PROBE: 20.0, Step.QUIT: 300.0,
}  # fmt: skip


@dataclass(frozen=True)
class ClientParameters:
    """``limits`` are the time limits of each step in seconds; ``port`` a number or a service name; 0 is "no limit" as in
    main.cf. The defaults are those of the SMTP client."""

    lmtp: bool = False
    myhostname: str = "localhost"
    helo_name: str = "localhost"
    port: str = "smtp"
    relayhost: str = ""
    best_mx: str = ""
    fallback_relay: tuple[str, ...] = ()
    soft_bounce: bool = False
    # Finding hosts.
    dns_support: str = "enabled"
    host_lookup: tuple[str, ...] = ("dns",)
    search: str = ""
    inet_protocols: tuple[str, ...] = ("ipv4", "ipv6")
    address_preference: str = "any"
    balance_inet_protocols: bool = True
    randomize_addresses: bool = True
    ignore_mx_lookup_error: bool = False
    defer_if_no_mx_address_found: bool = False
    mx_address_limit: int = 5
    mx_session_limit: int = 2
    # Connecting.
    connect_timeout: float = 30.0
    bind_address: str = ""
    bind_address6: str = ""
    bind_address_enforce: bool = False
    per_request_deadline: bool = False
    min_data_rate: int = 500
    limits: Mapping[Step, float] = field(default_factory=lambda: dict(_SECONDS))
    # Talking.
    always_send_ehlo: bool = True
    never_send_ehlo: bool = False
    skip_5xx_greeting: bool = True
    skip_quit_response: bool = True
    discard_keywords: tuple[str, ...] = ()
    discard_keyword_maps: tuple[str, ...] = ()
    pix_workarounds: tuple[str, ...] = ("disable_esmtp", "delay_dotcrlf")
    pix_workaround_maps: tuple[str, ...] = ()
    pix_threshold_time: float = 500.0
    pix_delay_time: float = 10.0
    send_xforward: bool = False
    send_dummy_mail_auth: bool = False
    quote_rfc821_envelope: bool = True
    verify_target: str = "rcpt"
    line_length_limit: int = 998
    reply_limit: int = 2048
    disable_mime_output_conversion: bool = False
    assume_final: bool = False
    delivery_status_filter: tuple[str, ...] = ()
    reply_filter: tuple[str, ...] = ()
    # Keeping connections.
    cache_destinations: tuple[str, ...] = ()
    cache_on_demand: bool = True
    cache_time_limit: float = 2.0
    reuse_time_limit: float = 300.0
    reuse_count_limit: int = 0


def _shared(settings: Any) -> dict[str, Any]:
    """What both clients have in common."""
    return {
        "myhostname": settings.myhostname,
        "relayhost": settings.relayhost,
        "best_mx": settings.best_mx_transport,
        "soft_bounce": settings.soft_bounce,
        "inet_protocols": _protocols(settings.inet_protocols),
        "ignore_mx_lookup_error": settings.ignore_mx_lookup_error,
        "reply_limit": settings.line_length_limit,
        "disable_mime_output_conversion": settings.disable_mime_output_conversion,
    }


def _protocols(names: tuple[str, ...]) -> tuple[str, ...]:
    wanted = {name.lower() for name in names}
    return tuple(name for name in ("ipv4", "ipv6") if name in wanted or "all" in wanted)


def _dns_support(level: str, disabled: bool) -> str:
    return level or ("disabled" if disabled else "enabled")


def _search(options: tuple[str, ...]) -> str:
    """smtp_dns_resolver_options as IResolver's ``search``."""
    return next((name for name in ("res_dnsrch", "res_defnames") if name in options), "")


def smtp_parameters(settings: Any) -> ClientParameters:
    """Of the SMTP client."""
    helo = settings.smtp_helo_timeout
    return ClientParameters(
        **_shared(settings),
        helo_name=settings.smtp_helo_name,
        port=settings.smtp_tcp_port,
        fallback_relay=settings.smtp_fallback_relay,
        dns_support=_dns_support(settings.smtp_dns_support_level, settings.disable_dns_lookups),
        host_lookup=settings.smtp_host_lookup,
        search=_search(settings.smtp_dns_resolver_options),
        address_preference=settings.smtp_address_preference,
        balance_inet_protocols=settings.smtp_balance_inet_protocols,
        randomize_addresses=settings.smtp_randomize_addresses,
        defer_if_no_mx_address_found=settings.smtp_defer_if_no_mx_address_found,
        mx_address_limit=settings.smtp_mx_address_limit,
        mx_session_limit=settings.smtp_mx_session_limit,
        connect_timeout=settings.smtp_connect_timeout,
        per_request_deadline=settings.smtp_per_request_deadline,
        min_data_rate=settings.smtp_min_data_rate,
        bind_address=settings.smtp_bind_address,
        bind_address6=settings.smtp_bind_address6,
        bind_address_enforce=settings.smtp_bind_address_enforce,
        limits={
            Step.GREETING: helo, Step.EHLO: helo, Step.HELO: helo, Step.LHLO: helo,
            Step.STARTTLS: settings.smtp_starttls_timeout, Step.AUTH: helo,
            Step.XFORWARD_NAME: settings.smtp_xforward_timeout, Step.XFORWARD_HELO: settings.smtp_xforward_timeout,
            Step.MAIL: settings.smtp_mail_timeout, Step.RCPT: settings.smtp_rcpt_timeout,
            Step.DATA: settings.smtp_data_init_timeout, Step.BODY: settings.smtp_data_xfer_timeout,
            Step.DOT: settings.smtp_data_done_timeout, Step.RSET: settings.smtp_rset_timeout,
            Step.PROBE: settings.smtp_rset_timeout, Step.QUIT: settings.smtp_quit_timeout,
        },
        always_send_ehlo=settings.smtp_always_send_ehlo,
        never_send_ehlo=settings.smtp_never_send_ehlo,
        skip_5xx_greeting=settings.smtp_skip_5xx_greeting,
        skip_quit_response=settings.smtp_skip_quit_response,
        discard_keywords=settings.smtp_discard_ehlo_keywords,
        discard_keyword_maps=settings.smtp_discard_ehlo_keyword_address_maps,
        pix_workarounds=settings.smtp_pix_workarounds,
        pix_workaround_maps=settings.smtp_pix_workaround_maps,
        pix_threshold_time=settings.smtp_pix_workaround_threshold_time,
        pix_delay_time=settings.smtp_pix_workaround_delay_time,
        send_xforward=settings.smtp_send_xforward_command,
        send_dummy_mail_auth=settings.smtp_send_dummy_mail_auth,
        quote_rfc821_envelope=settings.smtp_quote_rfc821_envelope,
        verify_target=settings.smtp_address_verify_target,
        line_length_limit=settings.smtp_line_length_limit,
        delivery_status_filter=settings.smtp_delivery_status_filter,
        reply_filter=settings.smtp_reply_filter,
        cache_destinations=settings.smtp_connection_cache_destinations,
        cache_on_demand=settings.smtp_connection_cache_on_demand,
        cache_time_limit=settings.smtp_connection_cache_time_limit,
        reuse_time_limit=settings.smtp_connection_reuse_time_limit,
        reuse_count_limit=settings.smtp_connection_reuse_count_limit,
    )  # fmt: skip


def lmtp_parameters(settings: Any) -> ClientParameters:
    """Of the LMTP client."""
    lhlo = settings.lmtp_lhlo_timeout
    return ClientParameters(
        **_shared(settings),
        lmtp=True,
        helo_name=settings.lmtp_lhlo_name,
        port=settings.lmtp_tcp_port,
        fallback_relay=settings.lmtp_fallback_relay,
        dns_support=_dns_support(settings.lmtp_dns_support_level, settings.disable_dns_lookups),
        host_lookup=settings.lmtp_host_lookup,
        search=_search(settings.lmtp_dns_resolver_options),
        address_preference=settings.lmtp_address_preference,
        balance_inet_protocols=settings.lmtp_balance_inet_protocols,
        randomize_addresses=settings.lmtp_randomize_addresses,
        defer_if_no_mx_address_found=settings.lmtp_defer_if_no_mx_address_found,
        mx_address_limit=settings.lmtp_mx_address_limit,
        mx_session_limit=settings.lmtp_mx_session_limit,
        connect_timeout=settings.lmtp_connect_timeout,
        per_request_deadline=settings.lmtp_per_request_deadline,
        min_data_rate=settings.lmtp_min_data_rate,
        bind_address=settings.lmtp_bind_address,
        bind_address6=settings.lmtp_bind_address6,
        bind_address_enforce=settings.lmtp_bind_address_enforce,
        limits={
            Step.GREETING: lhlo, Step.EHLO: lhlo, Step.HELO: lhlo, Step.LHLO: lhlo,
            Step.STARTTLS: settings.lmtp_starttls_timeout, Step.AUTH: lhlo,
            Step.XFORWARD_NAME: settings.lmtp_xforward_timeout, Step.XFORWARD_HELO: settings.lmtp_xforward_timeout,
            Step.MAIL: settings.lmtp_mail_timeout, Step.RCPT: settings.lmtp_rcpt_timeout,
            Step.DATA: settings.lmtp_data_init_timeout, Step.BODY: settings.lmtp_data_xfer_timeout,
            Step.DOT: settings.lmtp_data_done_timeout, Step.RSET: settings.lmtp_rset_timeout,
            Step.PROBE: settings.lmtp_rset_timeout, Step.QUIT: settings.lmtp_quit_timeout,
        },
        skip_5xx_greeting=settings.lmtp_skip_5xx_greeting,
        skip_quit_response=settings.lmtp_skip_quit_response,
        discard_keywords=settings.lmtp_discard_lhlo_keywords,
        discard_keyword_maps=settings.lmtp_discard_lhlo_keyword_address_maps,
        pix_workarounds=settings.lmtp_pix_workarounds,
        pix_workaround_maps=settings.lmtp_pix_workaround_maps,
        pix_threshold_time=settings.lmtp_pix_workaround_threshold_time,
        pix_delay_time=settings.lmtp_pix_workaround_delay_time,
        send_xforward=settings.lmtp_send_xforward_command,
        send_dummy_mail_auth=settings.lmtp_send_dummy_mail_auth,
        quote_rfc821_envelope=settings.lmtp_quote_rfc821_envelope,
        verify_target=settings.lmtp_address_verify_target,
        line_length_limit=settings.lmtp_line_length_limit,
        assume_final=settings.lmtp_assume_final,
        delivery_status_filter=settings.lmtp_delivery_status_filter,
        reply_filter=settings.lmtp_reply_filter,
        cache_destinations=settings.lmtp_connection_cache_destinations,
        cache_on_demand=settings.lmtp_connection_cache_on_demand,
        cache_time_limit=settings.lmtp_connection_cache_time_limit,
        reuse_time_limit=settings.lmtp_connection_reuse_time_limit,
        reuse_count_limit=settings.lmtp_connection_reuse_count_limit,
    )  # fmt: skip
