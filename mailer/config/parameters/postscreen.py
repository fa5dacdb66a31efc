"""Tests that a client must pass before it may talk to the SMTP server.

The meanings follow postconf(5), postscreen(8) and POSTSCREEN_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

ACTIONS = ("ignore", "enforce", "drop", "continue")
CIPHER_GRADES = ("export", "low", "medium", "high", "null")
EECDH_GRADES = ("auto", "none", "strong", "ultra")
TLS_LEVELS = ("", "none", "may", "encrypt", "fingerprint", "dane", "dane-only", "verify", "secure")

postscreen = Area("postscreen")

PARAMETERS: tuple[Parameter, ...] = (
    postscreen.time("dnsblog_reply_delay", "0s", "Seconds by which blocklist answers are delayed, for tests."),
    postscreen.list(
        "postscreen_access_list",
        "permit_mynetworks",
        "Rules by client address that accept or refuse a client before any test.",
    ),
    postscreen.list(
        "postscreen_allowlist_interfaces",
        "${postscreen_whitelist_interfaces?{$postscreen_whitelist_interfaces}:{static:all}}",
        "Local addresses on which a new client can earn its way to the SMTP server.",
    ),
    postscreen.choice(
        "postscreen_bare_newline_action",
        "ignore",
        "What happens to a client that ends a line with a bare line feed.",
        ACTIONS,
    ),
    postscreen.boolean("postscreen_bare_newline_enable", "no", "Whether clients are tested for bare line feeds."),
    postscreen.time(
        "postscreen_bare_newline_ttl",
        "30d",
        "Time, in days by default, for which a passed bare line feed test counts.",
        unit="d",
        minimum=1,
    ),
    postscreen.string(
        "postscreen_blacklist_action",
        "",
        "Former name of postscreen_denylist_action, still used as its default.",
        deprecated=True,
    ),
    postscreen.time(
        "postscreen_cache_cleanup_interval",
        "12h",
        "Time, in hours by default, between removals of expired results, zero for never.",
        unit="h",
    ),
    postscreen.string(
        "postscreen_cache_map",
        "$default_cache_db_type:$data_directory/postscreen_cache",
        "Table that keeps the clients' test results.",
    ),
    postscreen.time(
        "postscreen_cache_retention_time",
        "7d",
        "Time, in days by default, for which expired results are still kept.",
        unit="d",
        minimum=1,
    ),
    postscreen.integer(
        "postscreen_client_connection_count_limit",
        "$smtpd_client_connection_count_limit",
        "Most simultaneous connections of one client to postscreen, zero for no limit.",
    ),
    postscreen.integer(
        "postscreen_command_count_limit",
        "20",
        "Most commands of one session with postscreen's own SMTP engine.",
        minimum=1,
    ),
    postscreen.tables(
        "postscreen_command_filter", "", "Table that rewrites a client's command line before postscreen interprets it."
    ),
    postscreen.time(
        "postscreen_command_time_limit",
        "${stress?{10}:{300}}s",
        "Seconds in which a client must send a complete command to postscreen.",
        minimum=1,
    ),
    postscreen.choice(
        "postscreen_denylist_action",
        "${postscreen_blacklist_action?{$postscreen_blacklist_action}:{ignore}}",
        "What happens to a client that postscreen_access_list rejects.",
        ACTIONS,
    ),
    postscreen.boolean(
        "postscreen_disable_vrfy_command", "$disable_vrfy_command", "Whether postscreen refuses the VRFY command."
    ),
    postscreen.tables(
        "postscreen_discard_ehlo_keyword_address_maps",
        "$smtpd_discard_ehlo_keyword_address_maps",
        "Tables by client address with the EHLO keywords that postscreen does not announce.",
    ),
    postscreen.list(
        "postscreen_discard_ehlo_keywords",
        "$smtpd_discard_ehlo_keywords",
        "EHLO keywords, in any case, that postscreen announces to no client.",
    ),
    postscreen.choice(
        "postscreen_dnsbl_action",
        "ignore",
        "What happens to a client whose blocklist score reaches the threshold.",
        ACTIONS,
    ),
    postscreen.integer(
        "postscreen_dnsbl_allowlist_threshold",
        "${postscreen_dnsbl_whitelist_threshold?{$postscreen_dnsbl_whitelist_threshold}:{0}}",
        "Score, below zero, at which a client skips the other tests; zero for never.",
    ),
    postscreen.time(
        "postscreen_dnsbl_max_ttl",
        "${postscreen_dnsbl_ttl?{$postscreen_dnsbl_ttl}:{1}}h",
        "Longest time, in hours by default, for which a passed blocklist test counts.",
        unit="h",
        minimum=1,
    ),
    postscreen.time(
        "postscreen_dnsbl_min_ttl",
        "60s",
        "Shortest time in seconds for which a passed blocklist test counts.",
        minimum=1,
    ),
    postscreen.tables(
        "postscreen_dnsbl_reply_map", "", "Table from the real blocklist domain to the name that clients are told."
    ),
    postscreen.list(
        "postscreen_dnsbl_sites", "", "Blocklist and allowlist domains with optional reply filters and weights."
    ),
    postscreen.integer(
        "postscreen_dnsbl_threshold", "1", "Combined blocklist score from which a client is blocked.", minimum=1
    ),
    postscreen.time("postscreen_dnsbl_timeout", "10s", "Seconds to wait for blocklist answers.", minimum=1),
    postscreen.string(
        "postscreen_dnsbl_ttl",
        "",
        "Former number of hours for which a passed blocklist test counted, without its unit.",
        deprecated=True,
    ),
    postscreen.string(
        "postscreen_dnsbl_whitelist_threshold",
        "",
        "Former name of postscreen_dnsbl_allowlist_threshold, still used as its default.",
        deprecated=True,
    ),
    postscreen.boolean(
        "postscreen_enforce_tls",
        "$smtpd_enforce_tls",
        "Whether postscreen requires TLS; postscreen_tls_security_level replaces it.",
        deprecated=True,
    ),
    postscreen.raw(
        "postscreen_expansion_filter",
        "$smtpd_expansion_filter",
        "Characters that may appear in $name expansions of postscreen's reply templates.",
        minimum=1,
    ),
    postscreen.list(
        "postscreen_forbidden_commands",
        "$smtpd_forbidden_commands",
        "Commands or patterns that postscreen takes for a protocol violation.",
    ),
    postscreen.choice(
        "postscreen_greet_action", "ignore", "What happens to a client that talks before its turn.", ACTIONS
    ),
    postscreen.string(
        "postscreen_greet_banner",
        "$smtpd_banner",
        "Text of the teaser line that tempts a client to talk early, empty for none.",
    ),
    postscreen.time(
        "postscreen_greet_ttl",
        "1d",
        "Time, in days by default, for which a passed early talker test counts.",
        unit="d",
        minimum=1,
    ),
    postscreen.time(
        "postscreen_greet_wait",
        "${stress?{2}:{6}}s",
        "Seconds that a client must stay silent before the greeting.",
        minimum=1,
    ),
    postscreen.boolean(
        "postscreen_helo_required",
        "$smtpd_helo_required",
        "Whether a client must send HELO or EHLO to postscreen before MAIL FROM.",
    ),
    postscreen.choice(
        "postscreen_non_smtp_command_action",
        "drop",
        "What happens to a client that sends commands of another protocol.",
        ACTIONS,
    ),
    postscreen.boolean(
        "postscreen_non_smtp_command_enable", "no", "Whether clients are tested for commands of other protocols."
    ),
    postscreen.time(
        "postscreen_non_smtp_command_ttl",
        "30d",
        "Time, in days by default, for which a passed command test counts.",
        unit="d",
        minimum=1,
    ),
    postscreen.choice(
        "postscreen_pipelining_action",
        "enforce",
        "What happens to a client that sends several commands at once without leave.",
        ACTIONS,
    ),
    postscreen.boolean("postscreen_pipelining_enable", "no", "Whether clients are tested for forbidden pipelining."),
    postscreen.time(
        "postscreen_pipelining_ttl",
        "30d",
        "Time, in days by default, for which a passed pipelining test counts.",
        unit="d",
        minimum=1,
    ),
    postscreen.integer(
        "postscreen_post_queue_limit",
        "$default_process_limit",
        "Most clients that wait for a free SMTP server process.",
        minimum=5,
    ),
    postscreen.integer(
        "postscreen_pre_queue_limit",
        "$default_process_limit",
        "Most clients that wait for postscreen's decision.",
        minimum=10,
    ),
    postscreen.raw(
        "postscreen_reject_footer",
        "$smtpd_reject_footer",
        "Text that is appended to each of postscreen's 4xx and 5xx replies.",
    ),
    postscreen.tables(
        "postscreen_reject_footer_maps",
        "$smtpd_reject_footer_maps",
        "Tables that choose the footer by postscreen's reject reply.",
    ),
    postscreen.time(
        "postscreen_starttls_timeout",
        "$smtpd_starttls_timeout",
        "Seconds to read or write during postscreen's TLS handshake and shutdown.",
        minimum=1,
    ),
    postscreen.boolean(
        "postscreen_tls_always_issue_session_ids",
        "$smtpd_tls_always_issue_session_ids",
        "Whether postscreen issues TLS session ids even without a session cache.",
    ),
    postscreen.boolean(
        "postscreen_tls_ask_ccert", "$smtpd_tls_ask_ccert", "Whether postscreen asks clients for a certificate."
    ),
    postscreen.string(
        "postscreen_tls_CAfile",
        "$smtpd_tls_CAfile",
        "File with the certification authorities that postscreen trusts for client certificates.",
    ),
    postscreen.string(
        "postscreen_tls_CApath",
        "$smtpd_tls_CApath",
        "Hashed directory with certification authorities that postscreen trusts.",
    ),
    postscreen.integer(
        "postscreen_tls_ccert_verifydepth",
        "$smtpd_tls_ccert_verifydepth",
        "Deepest chain of a client certificate that postscreen verifies.",
    ),
    postscreen.string(
        "postscreen_tls_cert_file", "$smtpd_tls_cert_file", "File with postscreen's RSA certificate chain, or none."
    ),
    postscreen.list(
        "postscreen_tls_chain_files",
        "$smtpd_tls_chain_files",
        "Files with postscreen's keys, each followed by its certificate chain.",
    ),
    postscreen.choice(
        "postscreen_tls_ciphers",
        "$smtpd_tls_ciphers",
        "Weakest grade of ciphers that postscreen uses when TLS is optional.",
        CIPHER_GRADES,
    ),
    postscreen.string(
        "postscreen_tls_dcert_file",
        "$smtpd_tls_dcert_file",
        "File with postscreen's DSA certificate chain.",
        deprecated=True,
    ),
    postscreen.string(
        "postscreen_tls_dh1024_param_file",
        "$smtpd_tls_dh1024_param_file",
        "File with Diffie-Hellman parameters for postscreen, or auto.",
        deprecated=True,
    ),
    postscreen.string(
        "postscreen_tls_dh512_param_file",
        "$smtpd_tls_dh512_param_file",
        "File with Diffie-Hellman parameters for export ciphers of postscreen, without effect.",
        deprecated=True,
    ),
    postscreen.string(
        "postscreen_tls_dkey_file", "$smtpd_tls_dkey_file", "File with postscreen's DSA private key.", deprecated=True
    ),
    postscreen.string(
        "postscreen_tls_eccert_file", "$smtpd_tls_eccert_file", "File with postscreen's ECDSA certificate chain."
    ),
    postscreen.string(
        "postscreen_tls_eckey_file", "$smtpd_tls_eckey_file", "File with postscreen's ECDSA private key."
    ),
    postscreen.choice(
        "postscreen_tls_eecdh_grade",
        "$smtpd_tls_eecdh_grade",
        "Grade of elliptic-curve key exchange of postscreen, treated as auto.",
        EECDH_GRADES,
        deprecated=True,
    ),
    postscreen.boolean(
        "postscreen_tls_enable_rpk",
        "$smtpd_tls_enable_rpk",
        "Whether postscreen asks clients for a raw public key in place of a certificate.",
    ),
    postscreen.list(
        "postscreen_tls_exclude_ciphers", "$smtpd_tls_exclude_ciphers", "Ciphers that postscreen never uses."
    ),
    postscreen.string(
        "postscreen_tls_fingerprint_digest",
        "$smtpd_tls_fingerprint_digest",
        "Digest algorithm of client certificate fingerprints in postscreen.",
        minimum=1,
    ),
    postscreen.string("postscreen_tls_key_file", "$smtpd_tls_key_file", "File with postscreen's RSA private key."),
    postscreen.list(
        "postscreen_tls_loglevel", "$smtpd_tls_loglevel", "Amount of TLS logging by postscreen, 0 to 4 or keywords."
    ),
    postscreen.tables(
        "postscreen_tls_loglevel_maps",
        "$smtpd_tls_loglevel_maps",
        "Tables by client name or address that override the TLS log level of postscreen.",
    ),
    postscreen.choice(
        "postscreen_tls_mandatory_ciphers",
        "$smtpd_tls_mandatory_ciphers",
        "Weakest grade of ciphers that postscreen uses when TLS is required.",
        CIPHER_GRADES,
    ),
    postscreen.list(
        "postscreen_tls_mandatory_exclude_ciphers",
        "$smtpd_tls_mandatory_exclude_ciphers",
        "Further ciphers that postscreen does not use when TLS is required.",
    ),
    postscreen.list(
        "postscreen_tls_mandatory_protocols",
        "$smtpd_tls_mandatory_protocols",
        "TLS versions that postscreen uses when TLS is required.",
    ),
    postscreen.list(
        "postscreen_tls_protocols", "$smtpd_tls_protocols", "TLS versions that postscreen uses when TLS is optional."
    ),
    postscreen.boolean(
        "postscreen_tls_req_ccert", "$smtpd_tls_req_ccert", "Whether postscreen requires a trusted client certificate."
    ),
    postscreen.choice(
        "postscreen_tls_security_level",
        "$smtpd_tls_security_level",
        "Whether postscreen offers (may) or requires (encrypt) TLS; empty defers to the older parameters.",
        TLS_LEVELS,
    ),
    postscreen.integer(
        "postscreen_tls_trace_size_limit",
        "$smtpd_tls_trace_size_limit",
        "Most bytes of one TLS transcript of postscreen, zero for no transcripts.",
    ),
    postscreen.choice(
        "postscreen_upstream_proxy_protocol",
        "",
        "Protocol by which a load balancer in front conveys the client's address to postscreen.",
        ("", "haproxy"),
    ),
    postscreen.time(
        "postscreen_upstream_proxy_timeout", "5s", "Seconds postscreen waits for the load balancer's header.", minimum=1
    ),
    postscreen.boolean(
        "postscreen_use_tls",
        "$smtpd_use_tls",
        "Whether postscreen offers TLS; postscreen_tls_security_level replaces it.",
        deprecated=True,
    ),
    postscreen.time(
        "postscreen_watchdog_timeout",
        "10s",
        "Seconds that postscreen may take for an event before a watchdog ends it.",
        minimum=10,
    ),
    postscreen.string(
        "postscreen_whitelist_interfaces",
        "",
        "Former name of postscreen_allowlist_interfaces, still used as its default.",
        deprecated=True,
    ),
)
