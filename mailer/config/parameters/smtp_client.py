"""How the SMTP client finds, calls and talks to other servers, and keeps connections for reuse.

The meanings follow postconf(5), smtp(8) and scache(8).
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

smtp = Area("smtp-client")
cache = Area("connection-cache")

PARAMETERS: tuple[Parameter, ...] = (
    smtp.boolean(
        "allow_srv_lookup_fallback", "no", "Whether MX and address lookups are tried when there is no SRV record."
    ),
    smtp.string(
        "best_mx_transport",
        "",
        "Transport for mail whose best MX host is this machine although the domain is not ours.",
    ),
    smtp.boolean(
        "disable_dns_lookups",
        "no",
        "Whether the SMTP and LMTP clients do without DNS; smtp_dns_support_level replaces it.",
        deprecated=True,
    ),
    smtp.boolean(
        "dns_ncache_ttl_fix_enable",
        "no",
        "Whether negative DNS replies are cached in a way that does not rely on res_query.",
    ),
    smtp.string(
        "dnssec_probe", "ns:.", "DNS type and name of a query that shows whether the resolver validates DNSSEC."
    ),
    smtp.string(
        "fallback_relay", "", "Former name of smtp_fallback_relay, still used as its default.", deprecated=True
    ),
    smtp.boolean(
        "ignore_mx_lookup_error", "no", "Whether an address lookup is tried when the MX lookup gets no answer."
    ),
    smtp.boolean(
        "ignore_srv_lookup_error", "no", "Whether MX and address lookups are tried when the SRV lookup fails."
    ),
    smtp.list(
        "known_tcp_ports",
        "lmtp=24, smtp=25, smtps=submissions=465, submission=587",
        "Service names with their TCP port numbers, as name=port or name=name=port.",
    ),
    smtp.choice(
        "smtp_address_preference",
        "any",
        "Address family that the SMTP client tries first among equally preferred servers.",
        ("any", "ipv6", "ipv4"),
    ),
    smtp.choice(
        "smtp_address_verify_target",
        "rcpt",
        "Command whose reply decides about an address that the SMTP client probes.",
        ("rcpt", "data"),
    ),
    smtp.boolean(
        "smtp_always_send_ehlo", "yes", "Whether the SMTP client greets with EHLO even without ESMTP in the banner."
    ),
    smtp.boolean(
        "smtp_balance_inet_protocols",
        "yes",
        "Whether the SMTP client tries IPv4 and IPv6 both before the address limit is reached.",
    ),
    smtp.string("smtp_bind_address", "", "IPv4 source address of the SMTP client's connections."),
    smtp.string("smtp_bind_address6", "", "IPv6 source address of the SMTP client's connections."),
    smtp.boolean(
        "smtp_bind_address_enforce",
        "no",
        "Whether the SMTP client defers mail when it cannot use its configured source address.",
    ),
    smtp.time(
        "smtp_connect_timeout",
        "30s",
        "Seconds in which an SMTP client's TCP connection must be made, zero for the system's limit.",
    ),
    smtp.time(
        "smtp_data_done_timeout", "600s", "Seconds the SMTP client waits for the reply to the final dot.", minimum=1
    ),
    smtp.time("smtp_data_init_timeout", "120s", "Seconds the SMTP client waits for the reply to DATA.", minimum=1),
    smtp.time(
        "smtp_data_xfer_timeout",
        "180s",
        "Seconds the SMTP client waits for progress while it sends message content.",
        minimum=1,
    ),
    smtp.boolean(
        "smtp_defer_if_no_mx_address_found",
        "no",
        "Whether the SMTP client defers, not bounces, mail when no MX host has an address.",
    ),
    smtp.tables(
        "smtp_delivery_status_filter",
        "$default_delivery_status_filter",
        "Table that changes the status code or text of the SMTP client's delivery results.",
    ),
    smtp.tables(
        "smtp_discard_ehlo_keyword_address_maps",
        "",
        "Tables by server address with the EHLO keywords that the SMTP client ignores there.",
    ),
    smtp.list(
        "smtp_discard_ehlo_keywords", "", "EHLO keywords, in any case, that the SMTP client ignores at every server."
    ),
    smtp.tables("smtp_dns_reply_filter", "", "Table that edits or drops DNS replies before the SMTP client uses them."),
    smtp.list("smtp_dns_resolver_options", "", "Resolver options of the SMTP client, res_defnames and res_dnsrch."),
    smtp.choice(
        "smtp_dns_support_level",
        "",
        "How the SMTP client uses DNS, from not at all to validated with DNSSEC.",
        ("", "disabled", "enabled", "dnssec"),
    ),
    smtp.list(
        "smtp_fallback_relay",
        "$fallback_relay",
        "Hosts that the SMTP client tries when all of the destination's own servers cannot be used.",
    ),
    smtp.string("smtp_helo_name", "$myhostname", "Name that the SMTP client sends in EHLO and HELO.", minimum=1),
    smtp.time(
        "smtp_helo_timeout",
        "300s",
        "Seconds the SMTP client waits for the greeting, and then for the reply to EHLO or HELO.",
        minimum=1,
    ),
    smtp.list(
        "smtp_host_lookup",
        "dns",
        "Name services, dns and native, in which the SMTP client looks up host addresses.",
        minimum=1,
    ),
    smtp.integer(
        "smtp_line_length_limit",
        "998",
        "Longest line in bytes that the SMTP client sends before it folds it, zero for no limit.",
    ),
    smtp.time("smtp_mail_timeout", "300s", "Seconds the SMTP client waits for the reply to MAIL FROM.", minimum=1),
    smtp.integer(
        "smtp_min_data_rate",
        "500",
        "Bytes a second that must flow when the SMTP client's request deadlines are in force.",
        minimum=1,
    ),
    smtp.integer(
        "smtp_mx_address_limit",
        "5",
        "Most server addresses that the SMTP client considers for a destination, zero for no limit.",
    ),
    smtp.integer(
        "smtp_mx_session_limit",
        "2",
        "Most sessions per delivery request that the SMTP client opens before it gives up, zero for no limit.",
    ),
    smtp.boolean("smtp_never_send_ehlo", "no", "Whether the SMTP client greets with HELO only."),
    smtp.string(
        "smtp_per_record_deadline",
        "",
        "Former name of smtp_per_request_deadline, still used as its default.",
        deprecated=True,
    ),
    smtp.boolean(
        "smtp_per_request_deadline",
        "${smtp_per_record_deadline?{$smtp_per_record_deadline}:{no}}",
        "Whether the SMTP client's time limits cover a whole request and reply, not each read or write.",
    ),
    smtp.time(
        "smtp_pix_workaround_delay_time",
        "10s",
        "Seconds the SMTP client pauses before the final dot for a broken PIX firewall.",
        minimum=1,
    ),
    smtp.tables(
        "smtp_pix_workaround_maps",
        "",
        "Tables by server address that override the SMTP client's PIX firewall workarounds.",
    ),
    smtp.time(
        "smtp_pix_workaround_threshold_time",
        "500s",
        "Age of a message in seconds from which the SMTP client uses its PIX workarounds.",
    ),
    smtp.list(
        "smtp_pix_workarounds",
        "disable_esmtp,delay_dotcrlf",
        "What the SMTP client does differently when a server's greeting looks like a PIX firewall.",
    ),
    smtp.time("smtp_quit_timeout", "300s", "Seconds the SMTP client waits for the reply to QUIT.", minimum=1),
    smtp.boolean(
        "smtp_quote_rfc821_envelope",
        "yes",
        "Whether the SMTP client quotes unusual local parts in MAIL FROM and RCPT TO.",
    ),
    smtp.boolean("smtp_randomize_addresses", "yes", "Whether the SMTP client shuffles servers of equal preference."),
    smtp.time("smtp_rcpt_timeout", "300s", "Seconds the SMTP client waits for the reply to RCPT TO.", minimum=1),
    smtp.tables(
        "smtp_reply_filter", "", "Table that rewrites a server's reply lines before the SMTP client interprets them."
    ),
    smtp.time("smtp_rset_timeout", "20s", "Seconds the SMTP client waits for the reply to RSET.", minimum=1),
    smtp.boolean(
        "smtp_send_xforward_command",
        "no",
        "Whether the SMTP client passes the original client's attributes on with XFORWARD.",
    ),
    smtp.boolean(
        "smtp_skip_4xx_greeting",
        "yes",
        "Whether a 4xx greeting makes the client try the next server, which it always does now.",
    ),
    smtp.boolean(
        "smtp_skip_5xx_greeting",
        "yes",
        "Whether a 5xx greeting makes the SMTP client try the next server, not bounce the mail.",
    ),
    smtp.boolean(
        "smtp_skip_quit_response", "yes", "Whether the SMTP client closes the connection without the reply to QUIT."
    ),
    smtp.string("smtp_tcp_port", "smtp", "Port number or service name to which the SMTP client connects by default."),
    smtp.time("smtp_xforward_timeout", "300s", "Seconds the SMTP client waits for the reply to XFORWARD.", minimum=1),
    smtp.list("use_srv_lookup", "", "Services, by destination port name, whose hosts are found with DNS SRV records."),
    cache.time(
        "connection_cache_protocol_timeout",
        "5s",
        "Seconds to connect to, send to or receive from the connection cache.",
        minimum=1,
    ),
    cache.string(
        "connection_cache_service_name",
        "scache",
        "Master.cf service that keeps idle client connections for reuse.",
        minimum=1,
    ),
    cache.time(
        "connection_cache_status_update_time",
        "600s",
        "Seconds between log lines with the connection cache's statistics.",
        minimum=1,
    ),
    cache.time(
        "connection_cache_ttl_limit",
        "2s",
        "Longest time in seconds that the cache keeps an idle connection.",
        minimum=1,
    ),
    cache.list(
        "smtp_connection_cache_destinations",
        "",
        "Destinations whose connections the SMTP client keeps for reuse after each delivery.",
    ),
    cache.boolean(
        "smtp_connection_cache_on_demand",
        "yes",
        "Whether the SMTP client keeps connections while a destination has much mail.",
    ),
    cache.time(
        "smtp_connection_cache_time_limit",
        "2s",
        "Seconds that the SMTP client's idle connection may wait for its next message.",
        minimum=1,
    ),
    cache.integer(
        "smtp_connection_reuse_count_limit",
        "0",
        "Most deliveries over one connection of the SMTP client, zero for no limit.",
    ),
    cache.time(
        "smtp_connection_reuse_time_limit",
        "300s",
        "Seconds of age after which the SMTP client no longer reuses a connection.",
        minimum=1,
    ),
)
