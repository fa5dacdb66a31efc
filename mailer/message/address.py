"""Mail addresses in internal form (unquoted ``local@domain``) and their RFC 5321 form.

Parsing what a client sent is the business of ``mailer.wire``; header addresses (RFC 5322) have their own module.
"""

from __future__ import annotations

import re

__all__ = ["decode", "domain_of", "encode", "fold", "quote", "split"]

_DOT_STRING = re.compile(r"[^\x00-\x20()<>@,;:\\\"\[\].\x7f]+(?:\.[^\x00-\x20()<>@,;:\\\"\[\].\x7f]+)*").fullmatch
_SPECIAL = re.compile(r"([\"\\\r\n])")


def split(address: str) -> tuple[str, str]:
    """``local, domain``; the domain is "" when there is no ``@``."""
    local, at, domain = address.rpartition("@")
    return (local, domain) if at else (domain, "")


def domain_of(address: str) -> str:
    """The domain, lower case, "" when there is none."""
    return address.rpartition("@")[2].lower() if "@" in address else ""


def fold(address: str) -> str:
    """The key under which tables know an address."""
    return address.lower() if address.isascii() else address.casefold()


def quote(address: str) -> str:
    """The address as RFC 5321 writes it: a local part that is no dot-string becomes a quoted string."""
    local, domain = split(address)
    if not address or _DOT_STRING(local):
        return address
    quoted = '"' + _SPECIAL.sub(r"\\\1", local) + '"'
    return f"{quoted}@{domain}" if "@" in address else quoted


def decode(octets: bytes) -> str:
    """Octets from the wire to internal text; nothing is lost (surrogateescape)."""
    return octets.decode("utf-8", "surrogateescape")


def encode(address: str) -> bytes:
    """Internal text to the octets it came from."""
    return address.encode("utf-8", "surrogateescape")
