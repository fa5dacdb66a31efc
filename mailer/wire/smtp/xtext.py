"""xtext and utf-8-addr-xtext, the ways in which DSN parameters carry arbitrary text (RFC 3461 4, RFC 6533 3)."""

from __future__ import annotations

import re

__all__ = ["decode_unitext", "decode_xtext"]

_ENCODED = re.compile(rb"\+(?:([0-9A-Fa-f]{2})|)")
_EMBEDDED = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")


def decode_xtext(text: str) -> str:
    """``a+2Bb`` -> ``a+b``.

    :raise ValueError: a ``+`` without two hexadecimal digits.
    """
    if "+" not in text:
        return text
    octets = _ENCODED.sub(_octet, text.encode("utf-8", "surrogateescape"))
    return octets.decode("utf-8", "surrogateescape")


def _octet(match: re.Match[bytes]) -> bytes:
    if match.group(1) is None:
        raise ValueError("a plus sign without two hexadecimal digits")
    return bytes([int(match.group(1), 16)])


def decode_unitext(text: str) -> str:
    r"""``\x{e9}@example`` -> ``é@example``.

    :raise ValueError: not a Unicode code point.
    """
    return _EMBEDDED.sub(lambda match: _character(int(match.group(1), 16)), text)


def _character(point: int) -> str:
    if 0xD800 <= point < 0xE000 or point > 0x10FFFF:
        raise ValueError(f"no such character: {point:x}")
    return chr(point)
