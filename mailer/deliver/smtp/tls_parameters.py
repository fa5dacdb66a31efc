"""The settings of an SMTP or LMTP client that concern TLS, read once: ``smtp_...`` or ``lmtp_...`` under one name.

See postconf(5) for the meaning of each; the names here are those without the prefix.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mailer.tls.client import ClientTlsParameters

__all__ = ["TlsParameters", "lmtp_tls_parameters", "smtp_tls_parameters"]


@dataclass(frozen=True)
class TlsParameters:
    """``prefix`` is ``smtp`` or ``lmtp``, for the log. ``security_level`` is "" if older parameters decide."""

    prefix: str = "smtp"
    security_level: str = ""
    use_tls: bool = False
    enforce_tls: bool = False
    enforce_peername: bool = True
    policy_maps: tuple[str, ...] = ()
    per_site: tuple[str, ...] = ()
    protocols: tuple[str, ...] = (">=TLSv1",)
    mandatory_protocols: tuple[str, ...] = (">=TLSv1",)
    ciphers: str = "medium"
    mandatory_ciphers: str = "medium"
    exclude_ciphers: tuple[str, ...] = ()
    mandatory_exclude_ciphers: tuple[str, ...] = ()
    verify_cert_match: tuple[str, ...] = ("hostname",)
    secure_cert_match: tuple[str, ...] = ("nexthop", "dot-nexthop")
    fingerprint_cert_match: tuple[str, ...] = ()
    trust_anchor_file: tuple[str, ...] = ()
    server_name: str = ""
    wrapper: bool = False
    note_offer: bool = False
    reuse: bool = False
    min_backoff_time: float = 300.0
    context: ClientTlsParameters = field(default_factory=ClientTlsParameters)


def smtp_tls_parameters(settings: Any) -> TlsParameters:
    """Of the SMTP client."""
    return TlsParameters(
        prefix="smtp",
        security_level=settings.smtp_tls_security_level.lower(),
        use_tls=settings.smtp_use_tls,
        enforce_tls=settings.smtp_enforce_tls,
        enforce_peername=settings.smtp_tls_enforce_peername,
        policy_maps=settings.smtp_tls_policy_maps,
        per_site=settings.smtp_tls_per_site,
        protocols=settings.smtp_tls_protocols,
        mandatory_protocols=settings.smtp_tls_mandatory_protocols,
        ciphers=settings.smtp_tls_ciphers,
        mandatory_ciphers=settings.smtp_tls_mandatory_ciphers,
        exclude_ciphers=settings.smtp_tls_exclude_ciphers,
        mandatory_exclude_ciphers=settings.smtp_tls_mandatory_exclude_ciphers,
        verify_cert_match=_names(settings.smtp_tls_verify_cert_match),
        secure_cert_match=_names(settings.smtp_tls_secure_cert_match),
        fingerprint_cert_match=_fingerprints(settings.smtp_tls_fingerprint_cert_match),
        trust_anchor_file=settings.smtp_tls_trust_anchor_file,
        server_name=settings.smtp_tls_servername,
        wrapper=settings.smtp_tls_wrappermode,
        note_offer=settings.smtp_tls_note_starttls_offer,
        reuse=settings.smtp_tls_connection_reuse,
        min_backoff_time=settings.minimal_backoff_time,
        context=ClientTlsParameters(
            ca_file=settings.smtp_tls_CAfile,
            ca_path=settings.smtp_tls_CApath,
            chain_files=settings.smtp_tls_chain_files,
            pairs=_pairs(
                ("RSA", settings.smtp_tls_cert_file, settings.smtp_tls_key_file),
                ("DSA", settings.smtp_tls_dcert_file, settings.smtp_tls_dkey_file),
                ("ECDSA", settings.smtp_tls_eccert_file, settings.smtp_tls_eckey_file),
            ),
            digest=settings.smtp_tls_fingerprint_digest,
            loglevel=settings.smtp_tls_loglevel,
            depth=settings.smtp_tls_scert_verifydepth,
            session_lifetime=settings.smtp_tls_session_cache_timeout
            if settings.smtp_tls_session_cache_database
            else 0.0,
            cache="smtp",
        ),
    )


def lmtp_tls_parameters(settings: Any) -> TlsParameters:
    """Of the LMTP client."""
    return TlsParameters(
        prefix="lmtp",
        security_level=settings.lmtp_tls_security_level.lower(),
        use_tls=settings.lmtp_use_tls,
        enforce_tls=settings.lmtp_enforce_tls,
        enforce_peername=settings.lmtp_tls_enforce_peername,
        policy_maps=settings.lmtp_tls_policy_maps,
        per_site=settings.lmtp_tls_per_site,
        protocols=settings.lmtp_tls_protocols,
        mandatory_protocols=settings.lmtp_tls_mandatory_protocols,
        ciphers=settings.lmtp_tls_ciphers,
        mandatory_ciphers=settings.lmtp_tls_mandatory_ciphers,
        exclude_ciphers=settings.lmtp_tls_exclude_ciphers,
        mandatory_exclude_ciphers=settings.lmtp_tls_mandatory_exclude_ciphers,
        verify_cert_match=_names(settings.lmtp_tls_verify_cert_match),
        secure_cert_match=_names(settings.lmtp_tls_secure_cert_match),
        fingerprint_cert_match=_fingerprints(settings.lmtp_tls_fingerprint_cert_match),
        trust_anchor_file=settings.lmtp_tls_trust_anchor_file,
        server_name=settings.lmtp_tls_servername,
        wrapper=settings.lmtp_tls_wrappermode,
        note_offer=settings.lmtp_tls_note_starttls_offer,
        reuse=settings.lmtp_tls_connection_reuse,
        min_backoff_time=settings.minimal_backoff_time,
        context=ClientTlsParameters(
            ca_file=settings.lmtp_tls_CAfile,
            ca_path=settings.lmtp_tls_CApath,
            chain_files=settings.lmtp_tls_chain_files,
            pairs=_pairs(
                ("RSA", settings.lmtp_tls_cert_file, settings.lmtp_tls_key_file),
                ("DSA", settings.lmtp_tls_dcert_file, settings.lmtp_tls_dkey_file),
                ("ECDSA", settings.lmtp_tls_eccert_file, settings.lmtp_tls_eckey_file),
            ),
            digest=settings.lmtp_tls_fingerprint_digest,
            loglevel=settings.lmtp_tls_loglevel,
            depth=settings.lmtp_tls_scert_verifydepth,
            session_lifetime=settings.lmtp_tls_session_cache_timeout
            if settings.lmtp_tls_session_cache_database
            else 0.0,
            cache="lmtp",
        ),
    )


def _names(words: tuple[str, ...]) -> tuple[str, ...]:
    """Names may be separated by colons, too."""
    return tuple(name for word in words for name in word.split(":") if name)


def _fingerprints(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value for word in words for value in word.split("|") if value)


def _pairs(*pairs: tuple[str, str, str]) -> tuple[tuple[str, str, str], ...]:
    return tuple(pair for pair in pairs if pair[1] and pair[1].lower() != "none")
