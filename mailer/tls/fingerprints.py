"""Certificates known by fingerprint, of the whole or of the public key (postconf(5), smtp_tls_fingerprint_cert_match)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

__all__ = ["usable_fingerprints"]

_HEXADECIMAL = re.compile(r"(?:[0-9A-F]{2})+").fullmatch


def usable_fingerprints(values: Iterable[str], warn: Callable[[str], None]) -> tuple[str, ...]:
    """In the form that ``TlsSession.fingerprint`` has; what cannot be one is told to ``warn`` and left out."""
    usable = []
    for value in values:
        digits = value.replace(":", "").upper()
        if _HEXADECIMAL(digits):
            usable.append(":".join(digits[at : at + 2] for at in range(0, len(digits), 2)))
        else:
            warn(f"malformed fingerprint value: {value}")
    return tuple(usable)
