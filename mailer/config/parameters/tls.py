"""TLS settings that servers and clients share, TLS reports and required TLS.

The meanings follow postconf(5), TLS_README, tlsmgr(8), RFC 8460 and RFC 8689.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

tls = Area("tls-common")
tlsrpt = Area("tlsrpt-sts")
requiretls = Area("requiretls")

PARAMETERS: tuple[Parameter, ...] = (
    tls.string("openssl_path", "openssl", "Path or name of the openssl command that postfix tls uses.", minimum=1),
    tls.boolean(
        "tls_append_default_CA",
        "no",
        "Whether the system's certification authorities are trusted beside the configured ones.",
    ),
    tls.string("tls_config_file", "default", "OpenSSL configuration file with baseline settings, or default or none."),
    tls.string("tls_config_name", "", "Section of the OpenSSL configuration file that applies."),
    tls.integer("tls_daemon_random_bytes", "32", "Bytes of seed that each process using TLS asks for.", minimum=1),
    tls.string(
        "tls_dane_digest_agility",
        "on",
        "Whether weaker digests of one TLSA record set were passed over, without effect.",
    ),
    tls.list(
        "tls_dane_digests", "sha512 sha256", "Digest algorithms of TLSA records, the most preferred first.", minimum=1
    ),
    tls.boolean(
        "tls_dane_trust_anchor_digest_enable",
        "yes",
        "Whether TLSA records with trust anchor digests were supported, without effect.",
    ),
    tls.list(
        "tls_disable_workarounds",
        "",
        "OpenSSL work-arounds for broken peers, by name or bit mask, that are switched off.",
    ),
    tls.list(
        "tls_eecdh_auto_curves",
        "?X25519MLKEM768:DEFAULT",
        "Elliptic curves and groups for key exchange, the most preferred first.",
        deprecated=True,
    ),
    tls.string("tls_eecdh_strong_curve", "prime256v1", "Elliptic curve of the strong grade of key exchange."),
    tls.string("tls_eecdh_ultra_curve", "secp384r1", "Elliptic curve of the ultra grade of key exchange."),
    tls.string("tls_export_cipherlist", "", "OpenSSL ciphers of the former export grade.", deprecated=True),
    tls.boolean(
        "tls_fast_shutdown_enable",
        "yes",
        "Whether a TLS session is closed without waiting for the peer's close notification.",
    ),
    tls.list(
        "tls_ffdhe_auto_groups", "", "Finite-field groups for key exchange, the most preferred first.", deprecated=True
    ),
    tls.string(
        "tls_high_cipherlist",
        "aNULL:-aNULL:HIGH:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:@STRENGTH",
        "OpenSSL ciphers of the high grade.",
        minimum=1,
    ),
    tls.boolean(
        "tls_legacy_public_key_fingerprints",
        "no",
        "Whether a wrong public key fingerprint of some old releases is also tried.",
    ),
    tls.string("tls_low_cipherlist", "", "OpenSSL ciphers of the former low grade.", deprecated=True),
    tls.string(
        "tls_medium_cipherlist",
        "aNULL:-aNULL:HIGH:MEDIUM:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:+RC4:@STRENGTH",
        "OpenSSL ciphers of the medium grade.",
        minimum=1,
    ),
    tls.string(
        "tls_null_cipherlist",
        "eNULL:!kDH:!kECDH:!aDSS:!MD5:!aNULL",
        "OpenSSL ciphers of the null grade, which authenticates but does not encrypt.",
        minimum=1,
    ),
    tls.boolean("tls_preempt_cipherlist", "no", "Whether the server's order of ciphers decides, not the client's."),
    tls.integer("tls_random_bytes", "32", "Bytes that are read at once from the source of random data.", minimum=1),
    tls.string(
        "tls_random_exchange_name",
        "${data_directory}/prng_exch",
        "File that keeps the state of the random number generator across restarts.",
        deprecated=True,
    ),
    tls.time(
        "tls_random_prng_update_period",
        "3600s",
        "Seconds between saves of the random number generator's state.",
        minimum=1,
    ),
    tls.time(
        "tls_random_reseed_period",
        "3600s",
        "Longest time in seconds between reads from the source of random data.",
        minimum=1,
    ),
    tls.string(
        "tls_random_source", "dev:/dev/urandom", "Source of random data, as dev: or egd: with a path, or a file."
    ),
    tls.string(
        "tls_session_ticket_cipher", "aes-256-cbc", "Cipher that protects TLS session tickets, empty for no tickets."
    ),
    tls.list("tls_ssl_options", "", "OpenSSL options, by name or bit mask, that are switched on."),
    tls.integer(
        "tls_trace_rate_limit",
        "1",
        "Most TLS transcripts of all daemons per anvil_rate_time_unit, zero or less for no limit.",
    ),
    tls.boolean(
        "tls_trust_server_ccerts", "no", "Whether client certificates that are meant for servers only are accepted."
    ),
    tls.boolean(
        "tls_wildcard_matches_multiple_labels", "yes", "Whether * in a certificate's name matches more than one label."
    ),
    tlsrpt.boolean(
        "smtp_tls_enforce_sts_mx_patterns",
        "yes",
        "Whether the SMTP client uses only MX hosts that match the patterns of an MTA-STS policy.",
    ),
    tlsrpt.boolean("smtp_tlsrpt_enable", "no", "Whether TLS results are reported for TLSRPT, RFC 8460."),
    tlsrpt.boolean(
        "smtp_tlsrpt_skip_reused_handshakes", "no", "Whether TLSRPT counts only handshakes that make a new session."
    ),
    tlsrpt.string("smtp_tlsrpt_socket_name", "", "UNIX socket of the service that collects results for TLSRPT."),
    requiretls.boolean(
        "requiretls_enable", "yes", "Whether the REQUIRETLS extension, RFC 8689, is announced and honoured."
    ),
    requiretls.boolean(
        "requiretls_esmtp_header",
        "yes",
        "Whether a REQUIRETLS request is recorded in a header, so that content filters keep it.",
    ),
    requiretls.boolean(
        "requiretls_redact_dsn",
        "yes",
        "Whether a bounce of REQUIRETLS mail returns headers only and may go without TLS.",
    ),
    requiretls.list(
        "smtp_requiretls_policy",
        (
            "inline:{{${domain_to_ascii{$mydomain}}=opportunistic}, "
            "{.${domain_to_ascii{$mydomain}}=opportunistic}, {localhost=opportunistic}}, cidr:{{0.0.0.0/0 "
            "opportunistic}, {::/0 opportunistic}}, enforce"
        ),
        "Tables and actions that say by nexthop how the SMTP client enforces REQUIRETLS.",
    ),
    requiretls.boolean(
        "tls_required_enable", "yes", "Whether the header TLS-Required: no suspends TLS policies for a message."
    ),
)
