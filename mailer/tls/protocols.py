"""Which TLS versions a list such as ``>=TLSv1.2`` or ``!SSLv3, !TLSv1`` permits (postconf(5), smtpd_tls_protocols)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL

__all__ = ["BadProtocols", "Protocols", "parse_protocols"]

#: In order of age.
_VERSIONS = {
    "sslv2": 0x0002,
    "sslv3": SSL.SSL3_VERSION,
    "tlsv1": SSL.TLS1_VERSION,
    "tlsv1.1": SSL.TLS1_1_VERSION,
    "tlsv1.2": SSL.TLS1_2_VERSION,
    "tlsv1.3": SSL.TLS1_3_VERSION,
}
#: Those that can be switched off one by one.
_SWITCHES = {
    "sslv3": SSL.OP_NO_SSLv3,
    "tlsv1": SSL.OP_NO_TLSv1,
    "tlsv1.1": SSL.OP_NO_TLSv1_1,
    "tlsv1.2": SSL.OP_NO_TLSv1_2,
    "tlsv1.3": SSL.OP_NO_TLSv1_3,
}


class BadProtocols(ValueError):
    """The list names no known version."""


@dataclass(frozen=True)
class Protocols:
    """``lowest`` and ``highest`` are version numbers, 0 for no bound; ``excluded`` names in lower case."""

    lowest: int = 0
    highest: int = 0
    excluded: frozenset[str] = frozenset()

    def restrict(self, context: Any) -> None:
        """Apply to a SSL.Context."""
        context.set_min_proto_version(self.lowest)
        context.set_max_proto_version(self.highest)
        options = 0
        for name in self.excluded:
            options |= _SWITCHES.get(name, 0)
        if options:
            context.set_options(options)


def parse_protocols(words: Sequence[str]) -> Protocols:
    """:raise BadProtocols:"""
    lowest = highest = 0
    included, excluded = set(), set()
    for word in filter(None, ":".join(words).split(":")):
        if word.startswith((">=", "<=")):
            number = _number(word[2:])
            if word[0] == ">":
                lowest = number
            else:
                highest = number
        elif word.startswith("!"):
            excluded.add(_name(word[1:]))
        else:
            included.add(_name(word))
    if included:
        excluded.update(name for name in _VERSIONS if name not in included)
    return Protocols(lowest, highest, frozenset(excluded))


def _name(word: str) -> str:
    name = word.lower()
    if name not in _VERSIONS:
        raise BadProtocols(word)
    return name


def _number(word: str) -> int:
    """Of a name, or a number as OpenSSL has it (``0x0304``), for versions newer than this text."""
    if word.lower() in _VERSIONS:
        return _VERSIONS[word.lower()]
    try:
        number = int(word, 0)
    except ValueError:
        number = 0
    if not 0 < number < 0x10000:
        raise BadProtocols(word)
    return number
