"""TLS and logins of the SMTP client.

The meanings follow postconf(5), smtp(8), TLS_README and SASL_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

CIPHER_GRADES = ("export", "low", "medium", "high", "null")
TLS_LEVELS = ("", "none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure")

tls = Area("smtp-tls")
sasl = Area("smtp-sasl")

PARAMETERS: tuple[Parameter, ...] = (
    tls.boolean(
        "smtp_cname_overrides_servername",
        "no",
        "Whether the SMTP client names a server by its CNAME target in TLS, SASL and the log.",
        deprecated=True,
    ),
    tls.boolean(
        "smtp_enforce_tls",
        "no",
        "Whether the SMTP client requires TLS; smtp_tls_security_level replaces it.",
        deprecated=True,
    ),
    tls.boolean(
        "smtp_log_tls_feature_status", "yes", "Whether the SMTP client logs which TLS features each delivery used."
    ),
    tls.time(
        "smtp_starttls_timeout",
        "300s",
        "Seconds to read or write during the SMTP client's TLS handshake and shutdown.",
        minimum=1,
    ),
    tls.boolean(
        "smtp_tls_block_early_mail_reply",
        "no",
        "Whether the SMTP client detects replies that a TLS hijacker caused before the handshake.",
    ),
    tls.string(
        "smtp_tls_CAfile",
        "",
        "File with the certification authorities that the SMTP client trusts for server certificates.",
    ),
    tls.string("smtp_tls_CApath", "", "Hashed directory with certification authorities that the SMTP client trusts."),
    tls.string("smtp_tls_cert_file", "", "File with the SMTP client's RSA certificate chain."),
    tls.list("smtp_tls_chain_files", "", "Files with the SMTP client's keys, each followed by its certificate chain."),
    tls.string(
        "smtp_tls_cipherlist", "", "Cipher list of the SMTP client in early releases, without effect.", deprecated=True
    ),
    tls.choice(
        "smtp_tls_ciphers",
        "medium",
        "Weakest grade of ciphers that the SMTP client uses when TLS is optional.",
        CIPHER_GRADES,
    ),
    tls.boolean(
        "smtp_tls_connection_reuse",
        "no",
        "Whether the SMTP client keeps encrypted connections for reuse, through tlsproxy.",
    ),
    tls.choice(
        "smtp_tls_dane_insecure_mx_policy",
        "dane",
        "TLS level for MX hosts with secure TLSA records that an insecure MX lookup gave.",
        ("may", "encrypt", "dane"),
    ),
    tls.string("smtp_tls_dcert_file", "", "File with the SMTP client's DSA certificate chain.", deprecated=True),
    tls.string(
        "smtp_tls_dkey_file", "$smtp_tls_dcert_file", "File with the SMTP client's DSA private key.", deprecated=True
    ),
    tls.string("smtp_tls_eccert_file", "", "File with the SMTP client's ECDSA certificate chain."),
    tls.string("smtp_tls_eckey_file", "$smtp_tls_eccert_file", "File with the SMTP client's ECDSA private key."),
    tls.boolean(
        "smtp_tls_enable_rpk",
        "no",
        "Whether the SMTP client asks servers for a raw public key in place of a certificate.",
    ),
    tls.boolean(
        "smtp_tls_enforce_peername",
        "yes",
        "Whether the SMTP client matches server names when smtp_enforce_tls requires TLS.",
        deprecated=True,
    ),
    tls.list("smtp_tls_exclude_ciphers", "", "Ciphers that the SMTP client never uses."),
    tls.list(
        "smtp_tls_fingerprint_cert_match",
        "",
        "Server certificate fingerprints that the SMTP client trusts at the fingerprint level.",
    ),
    tls.string(
        "smtp_tls_fingerprint_digest",
        "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}",
        "Digest algorithm of server certificate fingerprints in the SMTP client.",
        minimum=1,
    ),
    tls.boolean(
        "smtp_tls_force_insecure_host_tlsa_lookup",
        "no",
        "Whether the SMTP client looks for TLSA records even of hosts in unsigned zones.",
    ),
    tls.string("smtp_tls_key_file", "$smtp_tls_cert_file", "File with the SMTP client's RSA private key."),
    tls.list("smtp_tls_loglevel", "0", "Amount of TLS logging by the SMTP client, 0 to 4 or keywords."),
    tls.tables(
        "smtp_tls_loglevel_maps",
        "",
        "Tables by server name or address that override the TLS log level of the SMTP client.",
    ),
    tls.choice(
        "smtp_tls_mandatory_ciphers",
        "medium",
        "Weakest grade of ciphers that the SMTP client uses when TLS is required.",
        CIPHER_GRADES,
    ),
    tls.list(
        "smtp_tls_mandatory_exclude_ciphers",
        "",
        "Further ciphers that the SMTP client does not use when TLS is required.",
    ),
    tls.list("smtp_tls_mandatory_protocols", ">=TLSv1", "TLS versions that the SMTP client uses when TLS is required."),
    tls.boolean(
        "smtp_tls_note_starttls_offer",
        "no",
        "Whether the SMTP client logs servers that offer STARTTLS when TLS is not in use.",
    ),
    tls.tables(
        "smtp_tls_per_site",
        "",
        "Tables by destination with the SMTP client's TLS use; smtp_tls_policy_maps replaces it.",
        deprecated=True,
    ),
    tls.tables(
        "smtp_tls_policy_maps", "", "Tables by destination with the SMTP client's TLS level and its attributes."
    ),
    tls.list("smtp_tls_protocols", ">=TLSv1", "TLS versions that the SMTP client uses when TLS is optional."),
    tls.integer(
        "smtp_tls_scert_verifydepth", "9", "Deepest chain of a server certificate that the SMTP client verifies."
    ),
    tls.list(
        "smtp_tls_secure_cert_match",
        "nexthop, dot-nexthop",
        "Names that the SMTP client accepts in server certificates at the secure level.",
        minimum=1,
    ),
    tls.choice(
        "smtp_tls_security_level",
        "${{$compatibility_level} <level {3.11} ? {} : {may}}",
        "TLS level of the SMTP client; empty defers to the older parameters.",
        TLS_LEVELS,
    ),
    tls.string(
        "smtp_tls_servername", "", "Name that the SMTP client sends in the TLS handshake, or nexthop or hostname."
    ),
    tls.string(
        "smtp_tls_session_cache_database", "", "Table in which the SMTP client's TLS sessions are kept for resumption."
    ),
    tls.time(
        "smtp_tls_session_cache_timeout",
        "3600s",
        "Seconds after which a TLS session of the SMTP client cannot be resumed.",
        maximum=8640000,
    ),
    tls.integer(
        "smtp_tls_trace_size_limit",
        "102400",
        "Most bytes of one TLS transcript of the SMTP client, zero for no transcripts.",
    ),
    tls.list(
        "smtp_tls_trust_anchor_file",
        "",
        "Files with certificates that alone may vouch for servers that the SMTP client verifies.",
    ),
    tls.list(
        "smtp_tls_verify_cert_match",
        "hostname",
        "Names that the SMTP client accepts in server certificates at the verify level.",
        minimum=1,
    ),
    tls.boolean(
        "smtp_tls_wrappermode", "no", "Whether the SMTP client starts every connection with TLS, without STARTTLS."
    ),
    tls.boolean(
        "smtp_use_tls",
        "no",
        "Whether the SMTP client uses TLS where it is offered; smtp_tls_security_level replaces it.",
        deprecated=True,
    ),
    sasl.boolean(
        "send_cyrus_sasl_authzid", "no", "Whether clients also send the login name as authorization identity."
    ),
    sasl.string(
        "smtp_sasl_auth_cache_name", "", "Table in which the SMTP client remembers logins that servers have refused."
    ),
    sasl.time(
        "smtp_sasl_auth_cache_time",
        "90d",
        "Time, in days by default, for which the SMTP client remembers a refused login.",
        unit="d",
    ),
    sasl.boolean("smtp_sasl_auth_enable", "no", "Whether the SMTP client logs in to servers."),
    sasl.boolean(
        "smtp_sasl_auth_soft_bounce",
        "yes",
        "Whether mail is deferred, not bounced, when an SMTP client's login is refused with 535.",
    ),
    sasl.list(
        "smtp_sasl_mechanism_filter", "", "Patterns that choose among the SASL mechanisms offered to the SMTP client."
    ),
    sasl.tables(
        "smtp_sasl_password_maps", "", "Tables by server, destination or sender with the SMTP client's user:password."
    ),
    sasl.string(
        "smtp_sasl_password_result_delimiter",
        ":",
        "Character between user and password in results of the SMTP client's password tables.",
        minimum=1,
        maximum=1,
    ),
    sasl.string("smtp_sasl_path", "", "Back-end specific place of the SMTP client's SASL library."),
    sasl.list(
        "smtp_sasl_security_options",
        "noplaintext, noanonymous",
        "Properties, such as noplaintext, that the SMTP client's SASL mechanisms must have.",
    ),
    sasl.list(
        "smtp_sasl_tls_security_options",
        "$smtp_sasl_security_options",
        "Properties that the SMTP client's SASL mechanisms must have inside a TLS session.",
    ),
    sasl.list(
        "smtp_sasl_tls_verified_security_options",
        "$smtp_sasl_tls_security_options",
        "Properties that the SMTP client's SASL mechanisms must have when TLS has verified the server.",
    ),
    sasl.string("smtp_sasl_type", "cyrus", "SASL back end that the SMTP client uses.", minimum=1),
    sasl.boolean("smtp_send_dummy_mail_auth", "no", "Whether the SMTP client adds AUTH=<> to MAIL FROM after a login."),
    sasl.boolean(
        "smtp_sender_dependent_authentication",
        "no",
        "Whether the SMTP client may choose its login by the envelope sender.",
    ),
)
