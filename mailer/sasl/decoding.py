"""Base64 in an exchange, strictly (RFC 4648 4; RFC 4954 4: ``=`` alone is an empty initial response)."""

from __future__ import annotations

import base64
import binascii

__all__ = ["BadBase64", "decoded", "encoded"]


class BadBase64(ValueError):
    """The client's text is no base64."""


def decoded(text: str) -> bytes:
    """:raise BadBase64:"""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise BadBase64(text[:30]) from None


def encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
