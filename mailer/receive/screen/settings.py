"""The settings of the screen where parts of the SMTP server are used: its own parameters under the SMTP server's names.

The parts that send footers, EHLO keywords and TLS read ``smtpd_...``; for the screen the same stands in ``postscreen_...``
and, for TLS beyond whether it is on offer, ``tlsproxy_tls_...``.
"""

from __future__ import annotations

from typing import Any

__all__ = ["as_smtpd"]

_NAMES = {
    "disable_vrfy_command": "postscreen_disable_vrfy_command",
    "smtpd_discard_ehlo_keywords": "postscreen_discard_ehlo_keywords",
    "smtpd_discard_ehlo_keyword_address_maps": "postscreen_discard_ehlo_keyword_address_maps",
    "smtpd_enforce_tls": "postscreen_enforce_tls",
    "smtpd_reject_footer_maps": "postscreen_reject_footer_maps",
    "smtpd_starttls_timeout": "postscreen_starttls_timeout",
    "smtpd_tls_CAfile": "tlsproxy_tls_CAfile",
    "smtpd_tls_CApath": "tlsproxy_tls_CApath",
    "smtpd_tls_ask_ccert": "tlsproxy_tls_ask_ccert",
    "smtpd_tls_ccert_verifydepth": "tlsproxy_tls_ccert_verifydepth",
    "smtpd_tls_cert_file": "tlsproxy_tls_cert_file",
    "smtpd_tls_chain_files": "tlsproxy_tls_chain_files",
    "smtpd_tls_ciphers": "tlsproxy_tls_ciphers",
    "smtpd_tls_dcert_file": "tlsproxy_tls_dcert_file",
    "smtpd_tls_dkey_file": "tlsproxy_tls_dkey_file",
    "smtpd_tls_eccert_file": "tlsproxy_tls_eccert_file",
    "smtpd_tls_eckey_file": "tlsproxy_tls_eckey_file",
    "smtpd_tls_exclude_ciphers": "tlsproxy_tls_exclude_ciphers",
    "smtpd_tls_fingerprint_digest": "tlsproxy_tls_fingerprint_digest",
    "smtpd_tls_key_file": "tlsproxy_tls_key_file",
    "smtpd_tls_loglevel": "tlsproxy_tls_loglevel",
    "smtpd_tls_mandatory_ciphers": "tlsproxy_tls_mandatory_ciphers",
    "smtpd_tls_mandatory_exclude_ciphers": "tlsproxy_tls_mandatory_exclude_ciphers",
    "smtpd_tls_mandatory_protocols": "tlsproxy_tls_mandatory_protocols",
    "smtpd_tls_protocols": "tlsproxy_tls_protocols",
    "smtpd_tls_req_ccert": "tlsproxy_tls_req_ccert",
    "smtpd_tls_security_level": "postscreen_tls_security_level",
    "smtpd_use_tls": "postscreen_use_tls",
}
#: Parameters that are expanded late, so that their defaults still name the SMTP server's.
_RAW = {
    "smtpd_expansion_filter": "postscreen_expansion_filter",
    "smtpd_reject_footer": "postscreen_reject_footer",
}


def as_smtpd(settings: Any) -> Any:
    """:param settings: those of the postscreen service. :return: Settings."""
    given = {name: settings.text(own).replace("$", "$$") for name, own in _NAMES.items()}
    for name, own in _RAW.items():
        value = settings.raw(own)
        if value != f"${name}":
            given[name] = value
    given["smtpd_tls_wrappermode"] = "no"
    return settings.with_overrides(given)
