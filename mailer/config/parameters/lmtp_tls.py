"""TLS and logins of the LMTP client; most have a twin with the smtp_ prefix.

The meanings follow postconf(5), lmtp(8), TLS_README and SASL_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

CIPHER_GRADES = ("export", "low", "medium", "high", "null")
TLS_LEVELS = ("", "none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure")

lmtp = Area("lmtp-client")

PARAMETERS: tuple[Parameter, ...] = (
    lmtp.boolean(
        "lmtp_cname_overrides_servername",
        "no",
        "Whether the LMTP client names a server by its CNAME target in TLS, SASL and the log.",
        deprecated=True,
    ),
    lmtp.boolean(
        "lmtp_enforce_tls",
        "no",
        "Whether the LMTP client requires TLS; lmtp_tls_security_level replaces it.",
        deprecated=True,
    ),
    lmtp.boolean(
        "lmtp_log_tls_feature_status", "yes", "Whether the LMTP client logs which TLS features each delivery used."
    ),
    lmtp.string(
        "lmtp_sasl_auth_cache_name", "", "Table in which the LMTP client remembers logins that servers have refused."
    ),
    lmtp.time(
        "lmtp_sasl_auth_cache_time",
        "90d",
        "Time, in days by default, for which the LMTP client remembers a refused login.",
        unit="d",
    ),
    lmtp.boolean("lmtp_sasl_auth_enable", "no", "Whether the LMTP client logs in to servers."),
    lmtp.boolean(
        "lmtp_sasl_auth_soft_bounce",
        "yes",
        "Whether mail is deferred, not bounced, when an LMTP client's login is refused with 535.",
    ),
    lmtp.list(
        "lmtp_sasl_mechanism_filter", "", "Patterns that choose among the SASL mechanisms offered to the LMTP client."
    ),
    lmtp.tables(
        "lmtp_sasl_password_maps", "", "Tables by server, destination or sender with the LMTP client's user:password."
    ),
    lmtp.string(
        "lmtp_sasl_password_result_delimiter",
        ":",
        "Character between user and password in results of the LMTP client's password tables.",
        minimum=1,
        maximum=1,
    ),
    lmtp.string("lmtp_sasl_path", "", "Back-end specific place of the LMTP client's SASL library."),
    lmtp.list(
        "lmtp_sasl_security_options",
        "noplaintext, noanonymous",
        "Properties, such as noplaintext, that the LMTP client's SASL mechanisms must have.",
    ),
    lmtp.list(
        "lmtp_sasl_tls_security_options",
        "$lmtp_sasl_security_options",
        "Properties that the LMTP client's SASL mechanisms must have inside a TLS session.",
    ),
    lmtp.list(
        "lmtp_sasl_tls_verified_security_options",
        "$lmtp_sasl_tls_security_options",
        "Properties that the LMTP client's SASL mechanisms must have when TLS has verified the server.",
    ),
    lmtp.string("lmtp_sasl_type", "cyrus", "SASL back end that the LMTP client uses.", minimum=1),
    lmtp.boolean("lmtp_send_dummy_mail_auth", "no", "Whether the LMTP client adds AUTH=<> to MAIL FROM after a login."),
    lmtp.boolean(
        "lmtp_sender_dependent_authentication",
        "no",
        "Whether the LMTP client may choose its login by the envelope sender.",
    ),
    lmtp.time(
        "lmtp_starttls_timeout",
        "300s",
        "Seconds to read or write during the LMTP client's TLS handshake and shutdown.",
        minimum=1,
    ),
    lmtp.boolean(
        "lmtp_tls_block_early_mail_reply",
        "no",
        "Whether the LMTP client detects replies that a TLS hijacker caused before the handshake.",
    ),
    lmtp.string(
        "lmtp_tls_CAfile",
        "",
        "File with the certification authorities that the LMTP client trusts for server certificates.",
    ),
    lmtp.string("lmtp_tls_CApath", "", "Hashed directory with certification authorities that the LMTP client trusts."),
    lmtp.string("lmtp_tls_cert_file", "", "File with the LMTP client's RSA certificate chain."),
    lmtp.list("lmtp_tls_chain_files", "", "Files with the LMTP client's keys, each followed by its certificate chain."),
    lmtp.choice(
        "lmtp_tls_ciphers",
        "medium",
        "Weakest grade of ciphers that the LMTP client uses when TLS is optional.",
        CIPHER_GRADES,
    ),
    lmtp.boolean(
        "lmtp_tls_connection_reuse",
        "no",
        "Whether the LMTP client keeps encrypted connections for reuse, through tlsproxy.",
    ),
    lmtp.string("lmtp_tls_dcert_file", "", "File with the LMTP client's DSA certificate chain.", deprecated=True),
    lmtp.string(
        "lmtp_tls_dkey_file", "$lmtp_tls_dcert_file", "File with the LMTP client's DSA private key.", deprecated=True
    ),
    lmtp.string("lmtp_tls_eccert_file", "", "File with the LMTP client's ECDSA certificate chain."),
    lmtp.string("lmtp_tls_eckey_file", "$lmtp_tls_eccert_file", "File with the LMTP client's ECDSA private key."),
    lmtp.boolean(
        "lmtp_tls_enable_rpk",
        "no",
        "Whether the LMTP client asks servers for a raw public key in place of a certificate.",
    ),
    lmtp.boolean(
        "lmtp_tls_enforce_peername",
        "yes",
        "Whether the LMTP client matches server names when lmtp_enforce_tls requires TLS.",
        deprecated=True,
    ),
    lmtp.boolean(
        "lmtp_tls_enforce_sts_mx_patterns",
        "yes",
        "Whether the LMTP client uses only MX hosts that match the patterns of an MTA-STS policy.",
    ),
    lmtp.list("lmtp_tls_exclude_ciphers", "", "Ciphers that the LMTP client never uses."),
    lmtp.list(
        "lmtp_tls_fingerprint_cert_match",
        "",
        "Server certificate fingerprints that the LMTP client trusts at the fingerprint level.",
    ),
    lmtp.string(
        "lmtp_tls_fingerprint_digest",
        "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}",
        "Digest algorithm of server certificate fingerprints in the LMTP client.",
        minimum=1,
    ),
    lmtp.boolean(
        "lmtp_tls_force_insecure_host_tlsa_lookup",
        "no",
        "Whether the LMTP client looks for TLSA records even of hosts in unsigned zones.",
    ),
    lmtp.string("lmtp_tls_key_file", "$lmtp_tls_cert_file", "File with the LMTP client's RSA private key."),
    lmtp.list("lmtp_tls_loglevel", "0", "Amount of TLS logging by the LMTP client, 0 to 4 or keywords."),
    lmtp.tables(
        "lmtp_tls_loglevel_maps",
        "",
        "Tables by server name or address that override the TLS log level of the LMTP client.",
    ),
    lmtp.choice(
        "lmtp_tls_mandatory_ciphers",
        "medium",
        "Weakest grade of ciphers that the LMTP client uses when TLS is required.",
        CIPHER_GRADES,
    ),
    lmtp.list(
        "lmtp_tls_mandatory_exclude_ciphers",
        "",
        "Further ciphers that the LMTP client does not use when TLS is required.",
    ),
    lmtp.list(
        "lmtp_tls_mandatory_protocols", ">=TLSv1", "TLS versions that the LMTP client uses when TLS is required."
    ),
    lmtp.boolean(
        "lmtp_tls_note_starttls_offer",
        "no",
        "Whether the LMTP client logs servers that offer STARTTLS when TLS is not in use.",
    ),
    lmtp.tables(
        "lmtp_tls_per_site",
        "",
        "Tables by destination with the LMTP client's TLS use; lmtp_tls_policy_maps replaces it.",
        deprecated=True,
    ),
    lmtp.tables(
        "lmtp_tls_policy_maps", "", "Tables by destination with the LMTP client's TLS level and its attributes."
    ),
    lmtp.list("lmtp_tls_protocols", ">=TLSv1", "TLS versions that the LMTP client uses when TLS is optional."),
    lmtp.integer(
        "lmtp_tls_scert_verifydepth", "9", "Deepest chain of a server certificate that the LMTP client verifies."
    ),
    lmtp.list(
        "lmtp_tls_secure_cert_match",
        "nexthop",
        "Names that the LMTP client accepts in server certificates at the secure level.",
        minimum=1,
    ),
    lmtp.choice(
        "lmtp_tls_security_level", "", "TLS level of the LMTP client; empty defers to the older parameters.", TLS_LEVELS
    ),
    lmtp.string(
        "lmtp_tls_servername", "", "Name that the LMTP client sends in the TLS handshake, or nexthop or hostname."
    ),
    lmtp.string(
        "lmtp_tls_session_cache_database", "", "Table in which the LMTP client's TLS sessions are kept for resumption."
    ),
    lmtp.time(
        "lmtp_tls_session_cache_timeout",
        "3600s",
        "Seconds after which a TLS session of the LMTP client cannot be resumed.",
        maximum=8640000,
    ),
    lmtp.integer(
        "lmtp_tls_trace_size_limit",
        "102400",
        "Most bytes of one TLS transcript of the LMTP client, zero for no transcripts.",
    ),
    lmtp.list(
        "lmtp_tls_trust_anchor_file",
        "",
        "Files with certificates that alone may vouch for servers that the LMTP client verifies.",
    ),
    lmtp.list(
        "lmtp_tls_verify_cert_match",
        "hostname",
        "Names that the LMTP client accepts in server certificates at the verify level.",
        minimum=1,
    ),
    lmtp.boolean(
        "lmtp_tls_wrappermode", "no", "Whether the LMTP client starts every connection with TLS, without STARTTLS."
    ),
    lmtp.boolean(
        "lmtp_use_tls",
        "no",
        "Whether the LMTP client uses TLS where it is offered; lmtp_tls_security_level replaces it.",
        deprecated=True,
    ),
)
