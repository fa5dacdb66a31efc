"""The settings of an SMTP or LMTP client that concern its logging in to servers: ``smtp_sasl_...`` or ``lmtp_sasl_...``.

See postconf(5) for the meaning of each; the names here are those without the prefix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mailer.config.errors import ConfigError
from mailer.sasl.client import OPTIONS

__all__ = ["LoginParameters", "lmtp_login_parameters", "smtp_login_parameters"]

_CAREFUL = ("noplaintext", "noanonymous")


@dataclass(frozen=True)
class LoginParameters:
    """``name`` is that of the parameter that names the table of credentials."""

    name: str
    enabled: bool = False
    password_maps: tuple[str, ...] = ()
    mechanism_filter: tuple[str, ...] = ()
    security_options: tuple[str, ...] = _CAREFUL
    tls_security_options: tuple[str, ...] = _CAREFUL
    tls_verified_security_options: tuple[str, ...] = _CAREFUL
    sender_dependent: bool = False
    delimiter: str = ":"
    auth_soft_bounce: bool = True
    send_authzid: bool = False

    def check(self) -> None:
        """:raise ConfigError: values that cannot be."""
        if self.enabled and not self.password_maps:
            raise ConfigError(f"specify a password table via the `{self.name}' configuration parameter")


def smtp_login_parameters(settings: Any) -> LoginParameters:
    """Of the SMTP client. :raise ConfigError: values that cannot be."""
    return LoginParameters(
        name="smtp_sasl_password_maps",
        enabled=settings.smtp_sasl_auth_enable and _back_end("smtp_sasl_type", settings.smtp_sasl_type),
        password_maps=settings.smtp_sasl_password_maps,
        mechanism_filter=settings.smtp_sasl_mechanism_filter,
        security_options=_options("smtp_sasl_security_options", settings.smtp_sasl_security_options),
        tls_security_options=_options("smtp_sasl_tls_security_options", settings.smtp_sasl_tls_security_options),
        tls_verified_security_options=_options(
            "smtp_sasl_tls_verified_security_options", settings.smtp_sasl_tls_verified_security_options
        ),
        sender_dependent=settings.smtp_sender_dependent_authentication,
        delimiter=settings.smtp_sasl_password_result_delimiter,
        auth_soft_bounce=settings.smtp_sasl_auth_soft_bounce,
        send_authzid=settings.send_cyrus_sasl_authzid,
    )


def lmtp_login_parameters(settings: Any) -> LoginParameters:
    """Of the LMTP client. :raise ConfigError: values that cannot be."""
    return LoginParameters(
        name="lmtp_sasl_password_maps",
        enabled=settings.lmtp_sasl_auth_enable and _back_end("lmtp_sasl_type", settings.lmtp_sasl_type),
        password_maps=settings.lmtp_sasl_password_maps,
        mechanism_filter=settings.lmtp_sasl_mechanism_filter,
        security_options=_options("lmtp_sasl_security_options", settings.lmtp_sasl_security_options),
        tls_security_options=_options("lmtp_sasl_tls_security_options", settings.lmtp_sasl_tls_security_options),
        tls_verified_security_options=_options(
            "lmtp_sasl_tls_verified_security_options", settings.lmtp_sasl_tls_verified_security_options
        ),
        sender_dependent=settings.lmtp_sender_dependent_authentication,
        delimiter=settings.lmtp_sasl_password_result_delimiter,
        auth_soft_bounce=settings.lmtp_sasl_auth_soft_bounce,
        send_authzid=settings.send_cyrus_sasl_authzid,
    )


def _back_end(name: str, value: str) -> bool:
    if value != "cyrus":
        raise ConfigError(f"{name}: unsupported SASL client implementation: {value}", 'the only one is "cyrus"')
    return True


def _options(name: str, words: tuple[str, ...]) -> tuple[str, ...]:
    chosen = tuple(word.lower() for word in words)
    for word in chosen:
        if word not in OPTIONS:
            raise ConfigError(f'{name}: bad per-session SASL security properties: unknown "{word}"')
    return chosen
