"""The settings of what a client changes in outgoing messages: ``smtp_...`` or ``lmtp_...`` under one name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["OutgoingParameters", "lmtp_outgoing_parameters", "smtp_outgoing_parameters"]


@dataclass(frozen=True)
class OutgoingParameters:
    """Named as the parameters, without ``prefix``; ``header_size`` and what follows are bounds in octets, depth, tokens."""

    prefix: str = "smtp"
    generic_maps: tuple[str, ...] = ()
    header_checks: tuple[str, ...] = ()
    mime_header_checks: tuple[str, ...] = ()
    nested_header_checks: tuple[str, ...] = ()
    body_checks: tuple[str, ...] = ()
    header_size: int = 102400
    boundary_length: int = 2048
    nesting: int = 100
    body_checks_size: int = 51200
    line_length: int = 2048
    tokens: int = 10240

    def __bool__(self) -> bool:
        checks = self.header_checks or self.mime_header_checks or self.nested_header_checks or self.body_checks
        return bool(self.generic_maps or checks)


def _limits(settings: Any) -> dict[str, int]:
    return {
        "header_size": settings.header_size_limit,
        "boundary_length": settings.mime_boundary_length_limit,
        "nesting": settings.mime_nesting_limit,
        "body_checks_size": settings.body_checks_size_limit,
        "line_length": settings.line_length_limit,
        "tokens": settings.header_address_token_limit,
    }


def smtp_outgoing_parameters(settings: Any) -> OutgoingParameters:
    """Of the SMTP client."""
    return OutgoingParameters(
        "smtp",
        settings.smtp_generic_maps,
        settings.smtp_header_checks,
        settings.smtp_mime_header_checks,
        settings.smtp_nested_header_checks,
        settings.smtp_body_checks,
        **_limits(settings),
    )


def lmtp_outgoing_parameters(settings: Any) -> OutgoingParameters:
    """Of the LMTP client."""
    return OutgoingParameters(
        "lmtp",
        settings.lmtp_generic_maps,
        settings.lmtp_header_checks,
        settings.lmtp_mime_header_checks,
        settings.lmtp_nested_header_checks,
        settings.lmtp_body_checks,
        **_limits(settings),
    )
