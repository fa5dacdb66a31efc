"""TLS in the SMTP server.

The meanings follow postconf(5), smtpd(8) and TLS_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

CIPHER_GRADES = ("export", "low", "medium", "high", "null")
EECDH_GRADES = ("auto", "none", "strong", "ultra")
TLS_LEVELS = ("", "none", "may", "encrypt", "fingerprint", "dane", "dane-only", "verify", "secure")

tls = Area("smtpd-tls")

PARAMETERS: tuple[Parameter, ...] = (
    tls.tables(
        "relay_clientcerts",
        "",
        "Tables with the fingerprints of client certificates that permit_tls_clientcerts trusts.",
    ),
    tls.boolean(
        "smtpd_enforce_tls",
        "no",
        "Whether the SMTP server requires TLS; smtpd_tls_security_level replaces it.",
        deprecated=True,
    ),
    tls.time(
        "smtpd_starttls_timeout",
        "${stress?{10}:{300}}s",
        "Seconds to read or write during the SMTP server's TLS handshake and shutdown.",
        minimum=1,
    ),
    tls.boolean(
        "smtpd_tls_always_issue_session_ids",
        "yes",
        "Whether the SMTP server issues TLS session ids even without a session cache.",
    ),
    tls.boolean("smtpd_tls_ask_ccert", "no", "Whether the SMTP server asks clients for a certificate."),
    tls.boolean("smtpd_tls_auth_only", "no", "Whether AUTH is announced and accepted inside TLS sessions only."),
    tls.string(
        "smtpd_tls_CAfile",
        "",
        "File with the certification authorities that the SMTP server trusts for client certificates.",
    ),
    tls.string("smtpd_tls_CApath", "", "Hashed directory with certification authorities that the SMTP server trusts."),
    tls.integer(
        "smtpd_tls_ccert_verifydepth", "9", "Deepest chain of a client certificate that the SMTP server verifies."
    ),
    tls.string("smtpd_tls_cert_file", "", "File with the SMTP server's RSA certificate chain, or none."),
    tls.list("smtpd_tls_chain_files", "", "Files with the SMTP server's keys, each followed by its certificate chain."),
    tls.string(
        "smtpd_tls_cipherlist", "", "Cipher list of the SMTP server in early releases, without effect.", deprecated=True
    ),
    tls.choice(
        "smtpd_tls_ciphers",
        "medium",
        "Weakest grade of ciphers that the SMTP server uses when TLS is optional.",
        CIPHER_GRADES,
    ),
    tls.string("smtpd_tls_dcert_file", "", "File with the SMTP server's DSA certificate chain.", deprecated=True),
    tls.string(
        "smtpd_tls_dh1024_param_file",
        "",
        "File with Diffie-Hellman parameters for the SMTP server, or auto.",
        deprecated=True,
    ),
    tls.string(
        "smtpd_tls_dh512_param_file",
        "",
        "File with Diffie-Hellman parameters for export ciphers of the SMTP server, without effect.",
        deprecated=True,
    ),
    tls.string(
        "smtpd_tls_dkey_file", "$smtpd_tls_dcert_file", "File with the SMTP server's DSA private key.", deprecated=True
    ),
    tls.string("smtpd_tls_eccert_file", "", "File with the SMTP server's ECDSA certificate chain."),
    tls.string("smtpd_tls_eckey_file", "$smtpd_tls_eccert_file", "File with the SMTP server's ECDSA private key."),
    tls.choice(
        "smtpd_tls_eecdh_grade",
        "auto",
        "Grade of elliptic-curve key exchange of the SMTP server, treated as auto.",
        EECDH_GRADES,
        deprecated=True,
    ),
    tls.boolean(
        "smtpd_tls_enable_rpk",
        "no",
        "Whether the SMTP server asks clients for a raw public key in place of a certificate.",
    ),
    tls.list("smtpd_tls_exclude_ciphers", "", "Ciphers that the SMTP server never uses."),
    tls.string(
        "smtpd_tls_fingerprint_digest",
        "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}",
        "Digest algorithm of client certificate fingerprints in the SMTP server.",
        minimum=1,
    ),
    tls.string("smtpd_tls_key_file", "$smtpd_tls_cert_file", "File with the SMTP server's RSA private key."),
    tls.list("smtpd_tls_loglevel", "0", "Amount of TLS logging by the SMTP server, 0 to 4 or keywords."),
    tls.tables(
        "smtpd_tls_loglevel_maps",
        "",
        "Tables by client name or address that override the TLS log level of the SMTP server.",
    ),
    tls.choice(
        "smtpd_tls_mandatory_ciphers",
        "medium",
        "Weakest grade of ciphers that the SMTP server uses when TLS is required.",
        CIPHER_GRADES,
    ),
    tls.list(
        "smtpd_tls_mandatory_exclude_ciphers",
        "",
        "Further ciphers that the SMTP server does not use when TLS is required.",
    ),
    tls.list(
        "smtpd_tls_mandatory_protocols", ">=TLSv1", "TLS versions that the SMTP server uses when TLS is required."
    ),
    tls.list("smtpd_tls_protocols", ">=TLSv1", "TLS versions that the SMTP server uses when TLS is optional."),
    tls.boolean(
        "smtpd_tls_received_header",
        "no",
        "Whether protocol, cipher and client certificate are recorded in the Received header.",
    ),
    tls.boolean("smtpd_tls_req_ccert", "no", "Whether the SMTP server requires a trusted client certificate."),
    tls.choice(
        "smtpd_tls_security_level",
        "",
        "Whether the SMTP server offers (may) or requires (encrypt) TLS; empty defers to the older parameters.",
        TLS_LEVELS,
    ),
    tls.string(
        "smtpd_tls_session_cache_database", "", "Table in which the SMTP server's TLS sessions are kept for resumption."
    ),
    tls.time(
        "smtpd_tls_session_cache_timeout",
        "3600s",
        "Seconds after which a TLS session of the SMTP server cannot be resumed.",
        maximum=8640000,
    ),
    tls.integer(
        "smtpd_tls_trace_size_limit",
        "102400",
        "Most bytes of one TLS transcript of the SMTP server, zero for no transcripts.",
    ),
    tls.boolean(
        "smtpd_tls_wrappermode", "no", "Whether the SMTP server starts every connection with TLS, without STARTTLS."
    ),
    tls.boolean(
        "smtpd_use_tls",
        "no",
        "Whether the SMTP server offers TLS; smtpd_tls_security_level replaces it.",
        deprecated=True,
    ),
    tls.tables(
        "tls_server_sni_maps", "", "Tables by requested server name with the key and certificate chain files to use."
    ),
)
