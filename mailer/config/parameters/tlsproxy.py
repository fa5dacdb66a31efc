"""TLS on behalf of other daemons; most values are those of the SMTP server and client.

The meanings follow postconf(5) and tlsproxy(8).
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

TLS_LEVELS = ("", "none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure")
CIPHER_GRADES = ("export", "low", "medium", "high", "null")
EECDH_GRADES = ("auto", "none", "strong", "ultra")

tlsproxy = Area("tlsproxy")

PARAMETERS: tuple[Parameter, ...] = (
    tlsproxy.string(
        "tlsproxy_client_CAfile",
        "$smtp_tls_CAfile",
        "File with the certification authorities that the tlsproxy client trusts for server certificates.",
    ),
    tlsproxy.string(
        "tlsproxy_client_CApath",
        "$smtp_tls_CApath",
        "Hashed directory with certification authorities that the tlsproxy client trusts.",
    ),
    tlsproxy.string(
        "tlsproxy_client_cert_file", "$smtp_tls_cert_file", "File with the tlsproxy client's RSA certificate chain."
    ),
    tlsproxy.list(
        "tlsproxy_client_chain_files",
        "$smtp_tls_chain_files",
        "Files with the tlsproxy client's keys, each followed by its certificate chain.",
    ),
    tlsproxy.string(
        "tlsproxy_client_dcert_file",
        "$smtp_tls_dcert_file",
        "File with the tlsproxy client's DSA certificate chain.",
        deprecated=True,
    ),
    tlsproxy.string(
        "tlsproxy_client_dkey_file",
        "$smtp_tls_dkey_file",
        "File with the tlsproxy client's DSA private key.",
        deprecated=True,
    ),
    tlsproxy.string(
        "tlsproxy_client_eccert_file",
        "$smtp_tls_eccert_file",
        "File with the tlsproxy client's ECDSA certificate chain.",
    ),
    tlsproxy.string(
        "tlsproxy_client_eckey_file", "$smtp_tls_eckey_file", "File with the tlsproxy client's ECDSA private key."
    ),
    tlsproxy.boolean(
        "tlsproxy_client_enforce_tls",
        "$smtp_enforce_tls",
        "Whether the tlsproxy client requires TLS; tlsproxy_client_security_level replaces it.",
        deprecated=True,
    ),
    tlsproxy.string(
        "tlsproxy_client_fingerprint_digest",
        "$smtp_tls_fingerprint_digest",
        "Digest algorithm of server certificate fingerprints in the tlsproxy client.",
        minimum=1,
    ),
    tlsproxy.string(
        "tlsproxy_client_key_file", "$smtp_tls_key_file", "File with the tlsproxy client's RSA private key."
    ),
    tlsproxy.choice(
        "tlsproxy_client_level",
        "",
        "Former name of tlsproxy_client_security_level, still used as its default.",
        TLS_LEVELS,
        deprecated=True,
    ),
    tlsproxy.list(
        "tlsproxy_client_loglevel",
        "$smtp_tls_loglevel",
        "Amount of TLS logging by the tlsproxy client, 0 to 4 or keywords.",
    ),
    tlsproxy.string(
        "tlsproxy_client_loglevel_parameter",
        "smtp_tls_loglevel",
        "Name of the parameter that gave the proxy's client its log level, without effect.",
        deprecated=True,
    ),
    tlsproxy.tables(
        "tlsproxy_client_per_site",
        "$smtp_tls_per_site",
        "Tables by destination with the tlsproxy client's TLS use; tlsproxy_client_policy_maps replaces it.",
        deprecated=True,
    ),
    tlsproxy.tables(
        "tlsproxy_client_policy",
        "",
        "Former name of tlsproxy_client_policy_maps, still used as its default.",
        deprecated=True,
    ),
    tlsproxy.tables(
        "tlsproxy_client_policy_maps",
        "${tlsproxy_client_policy?{$tlsproxy_client_policy}:{$smtp_tls_policy_maps}}",
        "Tables by destination with the tlsproxy client's TLS level and its attributes.",
    ),
    tlsproxy.integer(
        "tlsproxy_client_scert_verifydepth",
        "$smtp_tls_scert_verifydepth",
        "Deepest chain of a server certificate that the tlsproxy client verifies.",
    ),
    tlsproxy.choice(
        "tlsproxy_client_security_level",
        "${tlsproxy_client_level?{$tlsproxy_client_level}:{$smtp_tls_security_level}}",
        "TLS level of the tlsproxy client; empty defers to the older parameters.",
        TLS_LEVELS,
    ),
    tlsproxy.boolean(
        "tlsproxy_client_use_tls",
        "$smtp_use_tls",
        "Whether the tlsproxy client uses TLS where it is offered; tlsproxy_client_security_level replaces it.",
        deprecated=True,
    ),
    tlsproxy.boolean(
        "tlsproxy_enforce_tls",
        "$smtpd_enforce_tls",
        "Whether the tlsproxy server requires TLS; tlsproxy_tls_security_level replaces it.",
        deprecated=True,
    ),
    tlsproxy.string(
        "tlsproxy_service_name", "tlsproxy", "Master.cf service that does TLS on behalf of other daemons.", minimum=1
    ),
    tlsproxy.boolean(
        "tlsproxy_tls_always_issue_session_ids",
        "$smtpd_tls_always_issue_session_ids",
        "Whether the tlsproxy server issues TLS session ids even without a session cache.",
    ),
    tlsproxy.boolean(
        "tlsproxy_tls_ask_ccert", "$smtpd_tls_ask_ccert", "Whether the tlsproxy server asks clients for a certificate."
    ),
    tlsproxy.string(
        "tlsproxy_tls_CAfile",
        "$smtpd_tls_CAfile",
        "File with the certification authorities that the tlsproxy server trusts for client certificates.",
    ),
    tlsproxy.string(
        "tlsproxy_tls_CApath",
        "$smtpd_tls_CApath",
        "Hashed directory with certification authorities that the tlsproxy server trusts.",
    ),
    tlsproxy.integer(
        "tlsproxy_tls_ccert_verifydepth",
        "$smtpd_tls_ccert_verifydepth",
        "Deepest chain of a client certificate that the tlsproxy server verifies.",
    ),
    tlsproxy.string(
        "tlsproxy_tls_cert_file",
        "$smtpd_tls_cert_file",
        "File with the tlsproxy server's RSA certificate chain, or none.",
    ),
    tlsproxy.list(
        "tlsproxy_tls_chain_files",
        "$smtpd_tls_chain_files",
        "Files with the tlsproxy server's keys, each followed by its certificate chain.",
    ),
    tlsproxy.choice(
        "tlsproxy_tls_ciphers",
        "$smtpd_tls_ciphers",
        "Weakest grade of ciphers that the tlsproxy server uses when TLS is optional.",
        CIPHER_GRADES,
    ),
    tlsproxy.string(
        "tlsproxy_tls_dcert_file",
        "$smtpd_tls_dcert_file",
        "File with the tlsproxy server's DSA certificate chain.",
        deprecated=True,
    ),
    tlsproxy.string(
        "tlsproxy_tls_dh1024_param_file",
        "$smtpd_tls_dh1024_param_file",
        "File with Diffie-Hellman parameters for the tlsproxy server, or auto.",
        deprecated=True,
    ),
    tlsproxy.string(
        "tlsproxy_tls_dh512_param_file",
        "$smtpd_tls_dh512_param_file",
        "File with Diffie-Hellman parameters for export ciphers of the tlsproxy server, without effect.",
        deprecated=True,
    ),
    tlsproxy.string(
        "tlsproxy_tls_dkey_file",
        "$smtpd_tls_dkey_file",
        "File with the tlsproxy server's DSA private key.",
        deprecated=True,
    ),
    tlsproxy.string(
        "tlsproxy_tls_eccert_file", "$smtpd_tls_eccert_file", "File with the tlsproxy server's ECDSA certificate chain."
    ),
    tlsproxy.string(
        "tlsproxy_tls_eckey_file", "$smtpd_tls_eckey_file", "File with the tlsproxy server's ECDSA private key."
    ),
    tlsproxy.choice(
        "tlsproxy_tls_eecdh_grade",
        "$smtpd_tls_eecdh_grade",
        "Grade of elliptic-curve key exchange of the tlsproxy server, treated as auto.",
        EECDH_GRADES,
        deprecated=True,
    ),
    tlsproxy.boolean(
        "tlsproxy_tls_enable_rpk",
        "$smtpd_tls_enable_rpk",
        "Whether the tlsproxy server asks clients for a raw public key in place of a certificate.",
    ),
    tlsproxy.list(
        "tlsproxy_tls_exclude_ciphers", "$smtpd_tls_exclude_ciphers", "Ciphers that the tlsproxy server never uses."
    ),
    tlsproxy.string(
        "tlsproxy_tls_fingerprint_digest",
        "$smtpd_tls_fingerprint_digest",
        "Digest algorithm of client certificate fingerprints in the tlsproxy server.",
        minimum=1,
    ),
    tlsproxy.string("tlsproxy_tls_key_file", "$smtpd_tls_key_file", "File with the tlsproxy server's RSA private key."),
    tlsproxy.list(
        "tlsproxy_tls_loglevel",
        "$smtpd_tls_loglevel",
        "Amount of TLS logging by the tlsproxy server, 0 to 4 or keywords.",
    ),
    tlsproxy.choice(
        "tlsproxy_tls_mandatory_ciphers",
        "$smtpd_tls_mandatory_ciphers",
        "Weakest grade of ciphers that the tlsproxy server uses when TLS is required.",
        CIPHER_GRADES,
    ),
    tlsproxy.list(
        "tlsproxy_tls_mandatory_exclude_ciphers",
        "$smtpd_tls_mandatory_exclude_ciphers",
        "Further ciphers that the tlsproxy server does not use when TLS is required.",
    ),
    tlsproxy.list(
        "tlsproxy_tls_mandatory_protocols",
        "$smtpd_tls_mandatory_protocols",
        "TLS versions that the tlsproxy server uses when TLS is required.",
    ),
    tlsproxy.list(
        "tlsproxy_tls_protocols",
        "$smtpd_tls_protocols",
        "TLS versions that the tlsproxy server uses when TLS is optional.",
    ),
    tlsproxy.boolean(
        "tlsproxy_tls_req_ccert",
        "$smtpd_tls_req_ccert",
        "Whether the tlsproxy server requires a trusted client certificate.",
    ),
    tlsproxy.choice(
        "tlsproxy_tls_security_level",
        "$smtpd_tls_security_level",
        "Whether the tlsproxy server offers (may) or requires (encrypt) TLS; empty defers to the older parameters.",
        TLS_LEVELS,
    ),
    tlsproxy.time(
        "tlsproxy_tls_session_cache_timeout",
        "$smtpd_tls_session_cache_timeout",
        "Seconds after which a TLS session of the tlsproxy server cannot be resumed.",
    ),
    tlsproxy.boolean(
        "tlsproxy_use_tls",
        "$smtpd_use_tls",
        "Whether the tlsproxy server offers TLS; tlsproxy_tls_security_level replaces it.",
        deprecated=True,
    ),
    tlsproxy.time(
        "tlsproxy_watchdog_timeout",
        "10s",
        "Seconds that the TLS proxy may take for an event before a watchdog ends it.",
        minimum=10,
    ),
)
