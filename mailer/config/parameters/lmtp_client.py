"""How the LMTP client finds, calls and talks to its servers; most have a twin with the smtp_ prefix.

The meanings follow postconf(5) and lmtp(8).
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

lmtp = Area("lmtp-client")

PARAMETERS: tuple[Parameter, ...] = (
    lmtp.choice(
        "lmtp_address_preference",
        "any",
        "Address family that the LMTP client tries first among equally preferred servers.",
        ("any", "ipv6", "ipv4"),
    ),
    lmtp.choice(
        "lmtp_address_verify_target",
        "rcpt",
        "Command whose reply decides about an address that the LMTP client probes.",
        ("rcpt", "data"),
    ),
    lmtp.boolean(
        "lmtp_assume_final",
        "no",
        "Whether a server without DSN support is taken to deliver finally, so that reports say delivered.",
    ),
    lmtp.boolean(
        "lmtp_balance_inet_protocols",
        "yes",
        "Whether the LMTP client tries IPv4 and IPv6 both before the address limit is reached.",
    ),
    lmtp.string("lmtp_bind_address", "", "IPv4 source address of the LMTP client's connections."),
    lmtp.string("lmtp_bind_address6", "", "IPv6 source address of the LMTP client's connections."),
    lmtp.boolean(
        "lmtp_bind_address_enforce",
        "no",
        "Whether the LMTP client defers mail when it cannot use its configured source address.",
    ),
    lmtp.tables("lmtp_body_checks", "", "Tables that the LMTP client searches with each line of a body that it sends."),
    lmtp.boolean(
        "lmtp_cache_connection",
        "yes",
        "Whether LMTP connections were kept for reuse in early releases, without effect.",
        deprecated=True,
    ),
    lmtp.time(
        "lmtp_connect_timeout",
        "0s",
        "Seconds in which an LMTP client's TCP connection must be made, zero for the system's limit.",
    ),
    lmtp.list(
        "lmtp_connection_cache_destinations",
        "",
        "Destinations whose connections the LMTP client keeps for reuse after each delivery.",
    ),
    lmtp.boolean(
        "lmtp_connection_cache_on_demand",
        "yes",
        "Whether the LMTP client keeps connections while a destination has much mail.",
    ),
    lmtp.time(
        "lmtp_connection_cache_time_limit",
        "2s",
        "Seconds that the LMTP client's idle connection may wait for its next message.",
        minimum=1,
    ),
    lmtp.integer(
        "lmtp_connection_reuse_count_limit",
        "0",
        "Most deliveries over one connection of the LMTP client, zero for no limit.",
    ),
    lmtp.time(
        "lmtp_connection_reuse_time_limit",
        "300s",
        "Seconds of age after which the LMTP client no longer reuses a connection.",
        minimum=1,
    ),
    lmtp.time(
        "lmtp_data_done_timeout", "600s", "Seconds the LMTP client waits for the reply to the final dot.", minimum=1
    ),
    lmtp.time("lmtp_data_init_timeout", "120s", "Seconds the LMTP client waits for the reply to DATA.", minimum=1),
    lmtp.time(
        "lmtp_data_xfer_timeout",
        "180s",
        "Seconds the LMTP client waits for progress while it sends message content.",
        minimum=1,
    ),
    lmtp.boolean(
        "lmtp_defer_if_no_mx_address_found",
        "no",
        "Whether the LMTP client defers, not bounces, mail when no MX host has an address.",
    ),
    lmtp.tables(
        "lmtp_delivery_status_filter",
        "$default_delivery_status_filter",
        "Table that changes the status code or text of the LMTP client's delivery results.",
    ),
    lmtp.integer(
        "lmtp_destination_concurrency_limit",
        "$default_destination_concurrency_limit",
        "Most simultaneous deliveries to one destination by the lmtp transport.",
    ),
    lmtp.integer(
        "lmtp_destination_recipient_limit",
        "$default_destination_recipient_limit",
        "Most recipients of one delivery request to the lmtp transport.",
    ),
    lmtp.tables(
        "lmtp_discard_lhlo_keyword_address_maps",
        "",
        "Tables by server address with the LHLO keywords that the LMTP client ignores there.",
    ),
    lmtp.list(
        "lmtp_discard_lhlo_keywords", "", "LHLO keywords, in any case, that the LMTP client ignores at every server."
    ),
    lmtp.tables("lmtp_dns_reply_filter", "", "Table that edits or drops DNS replies before the LMTP client uses them."),
    lmtp.list("lmtp_dns_resolver_options", "", "Resolver options of the LMTP client, res_defnames and res_dnsrch."),
    lmtp.choice(
        "lmtp_dns_support_level",
        "",
        "How the LMTP client uses DNS, from not at all to validated with DNSSEC.",
        ("", "disabled", "enabled", "dnssec"),
    ),
    lmtp.list(
        "lmtp_fallback_relay",
        "",
        "Hosts that the LMTP client tries when all of the destination's own servers cannot be used.",
    ),
    lmtp.tables(
        "lmtp_generic_maps",
        "",
        "Tables that rewrite local addresses in mail that the LMTP client sends to other sites.",
    ),
    lmtp.tables(
        "lmtp_header_checks", "", "Tables that the LMTP client searches with each primary header that it sends."
    ),
    lmtp.list(
        "lmtp_host_lookup",
        "dns",
        "Name services, dns and native, in which the LMTP client looks up host addresses.",
        minimum=1,
    ),
    lmtp.string("lmtp_lhlo_name", "$myhostname", "Name that the LMTP client sends in LHLO.", minimum=1),
    lmtp.time(
        "lmtp_lhlo_timeout",
        "300s",
        "Seconds the LMTP client waits for the greeting, and then for the reply to LHLO.",
        minimum=1,
    ),
    lmtp.integer(
        "lmtp_line_length_limit",
        "998",
        "Longest line in bytes that the LMTP client sends before it folds it, zero for no limit.",
    ),
    lmtp.time("lmtp_mail_timeout", "300s", "Seconds the LMTP client waits for the reply to MAIL FROM.", minimum=1),
    lmtp.tables(
        "lmtp_mime_header_checks", "", "Tables that the LMTP client searches with each MIME header that it sends."
    ),
    lmtp.integer(
        "lmtp_min_data_rate",
        "500",
        "Bytes a second that must flow when the LMTP client's request deadlines are in force.",
        minimum=1,
    ),
    lmtp.integer(
        "lmtp_mx_address_limit",
        "5",
        "Most server addresses that the LMTP client considers for a destination, zero for no limit.",
    ),
    lmtp.integer(
        "lmtp_mx_session_limit",
        "2",
        "Most sessions per delivery request that the LMTP client opens before it gives up, zero for no limit.",
    ),
    lmtp.tables(
        "lmtp_nested_header_checks",
        "",
        "Tables that the LMTP client searches with each attached message's header that it sends.",
    ),
    lmtp.string(
        "lmtp_per_record_deadline",
        "",
        "Former name of lmtp_per_request_deadline, still used as its default.",
        deprecated=True,
    ),
    lmtp.boolean(
        "lmtp_per_request_deadline",
        "${lmtp_per_record_deadline?{$lmtp_per_record_deadline}:{no}}",
        "Whether the LMTP client's time limits cover a whole request and reply, not each read or write.",
    ),
    lmtp.time(
        "lmtp_pix_workaround_delay_time",
        "10s",
        "Seconds the LMTP client pauses before the final dot for a broken PIX firewall.",
        minimum=1,
    ),
    lmtp.tables(
        "lmtp_pix_workaround_maps",
        "",
        "Tables by server address that override the LMTP client's PIX firewall workarounds.",
    ),
    lmtp.time(
        "lmtp_pix_workaround_threshold_time",
        "500s",
        "Age of a message in seconds from which the LMTP client uses its PIX workarounds.",
    ),
    lmtp.list(
        "lmtp_pix_workarounds",
        "disable_esmtp,delay_dotcrlf",
        "What the LMTP client does differently when a server's greeting looks like a PIX firewall.",
    ),
    lmtp.time("lmtp_quit_timeout", "300s", "Seconds the LMTP client waits for the reply to QUIT.", minimum=1),
    lmtp.boolean(
        "lmtp_quote_rfc821_envelope",
        "yes",
        "Whether the LMTP client quotes unusual local parts in MAIL FROM and RCPT TO.",
    ),
    lmtp.boolean("lmtp_randomize_addresses", "yes", "Whether the LMTP client shuffles servers of equal preference."),
    lmtp.time("lmtp_rcpt_timeout", "300s", "Seconds the LMTP client waits for the reply to RCPT TO.", minimum=1),
    lmtp.tables(
        "lmtp_reply_filter", "", "Table that rewrites a server's reply lines before the LMTP client interprets them."
    ),
    lmtp.list(
        "lmtp_requiretls_policy",
        "opportunistic",
        "Tables and actions that say by nexthop how the LMTP client enforces REQUIRETLS.",
    ),
    lmtp.time("lmtp_rset_timeout", "20s", "Seconds the LMTP client waits for the reply to RSET.", minimum=1),
    lmtp.boolean(
        "lmtp_send_xforward_command",
        "no",
        "Whether the LMTP client passes the original client's attributes on with XFORWARD.",
    ),
    lmtp.boolean(
        "lmtp_skip_5xx_greeting",
        "yes",
        "Whether a 5xx greeting makes the LMTP client try the next server, not bounce the mail.",
    ),
    lmtp.boolean(
        "lmtp_skip_quit_response", "no", "Whether the LMTP client closes the connection without the reply to QUIT."
    ),
    lmtp.string("lmtp_tcp_port", "24", "Port number or service name to which the LMTP client connects by default."),
    lmtp.time("lmtp_xforward_timeout", "300s", "Seconds the LMTP client waits for the reply to XFORWARD.", minimum=1),
)
