"""Quoting for what is put into a distinguished name (RFC 4514; RFC 2253 2.4)."""

from __future__ import annotations

import re

__all__ = ["quote_dn"]

# Hexadecimal pairs, so that no position in the name is special: also white space that stands first or last.
_SPECIAL = re.compile(r'[,+"\\<>;\t\n\r\v\f\0]|^[ #]+| +$')


def quote_dn(text: str) -> str:
    """Text that stands for itself as an attribute value in a name, whatever is in it."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda match: "".join(f"\\{ord(char):02X}" for char in match.group()), text)
