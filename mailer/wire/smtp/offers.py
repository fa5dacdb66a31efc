"""What a server offers in its reply to EHLO or LHLO (RFC 5321 4.1.1.1): read once for a connection.

Knows the extensions that a client makes use of: 8BITMIME (RFC 6152), AUTH (4954), DSN (3461), PIPELINING (2920),
SIZE (1870), SMTPUTF8 (6531), STARTTLS (3207), XFORWARD (Postfix). Whether to use them is for others to say.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

__all__ = ["Offers", "parse_offers"]

_MOST_ARGUMENTS = 64


@dataclass(slots=True)
class Offers:
    """The extensions offered. ``size_limit`` is in octets, 0 for none; ``bad_size`` a SIZE argument that is no number.
    ``auth`` is None if AUTH is not offered at all."""

    esmtp: bool = False
    host: str = ""
    eightbit: bool = False
    dsn: bool = False
    pipelining: bool = False
    size: bool = False
    size_limit: int = 0
    bad_size: str = ""
    smtputf8: bool = False
    starttls: bool = False
    auth: tuple[str, ...] | None = None
    xforward: frozenset[str] = field(default_factory=frozenset)


def _size(offers: Offers, words: list[str]) -> None:
    offers.size = True
    if words:
        if words[0].isascii() and words[0].isdigit():
            offers.size_limit = int(words[0][:20])
        else:
            offers.bad_size = words[0]


def _auth(offers: Offers, words: list[str]) -> None:
    # AUTH=LOGIN is how old servers said it; both forms may occur, one after the other.
    offers.auth = tuple(dict.fromkeys((offers.auth or ()) + tuple(words)))


def _xforward(offers: Offers, words: list[str]) -> None:
    offers.xforward |= frozenset(word.upper() for word in words)


_FLAGS = {
    "8BITMIME": "eightbit",
    "DSN": "dsn",
    "PIPELINING": "pipelining",
    "SMTPUTF8": "smtputf8",
    "STARTTLS": "starttls",
}
_WITH_ARGUMENTS = {"SIZE": _size, "AUTH": _auth, "XFORWARD": _xforward}


def parse_offers(text: str, ignored: Container[str] = ()) -> Offers:
    """Read the reply to EHLO or LHLO.

    :param text: all lines of the reply, codes included, joined by ``\\n`` (``PeerReply.text``).
    :param ignored: keywords, lower case, to be taken as not offered.
    """
    first, *others = text.split("\n")
    offers = Offers(esmtp=True, host=(first[4:].split() or [""])[0])
    for line in others:
        words = line[4:].replace("=", " ", 1).split(None, _MOST_ARGUMENTS)[:_MOST_ARGUMENTS]
        keyword = words.pop(0).upper() if words else ""
        if keyword.lower() in ignored:
            continue
        if keyword in _FLAGS:
            setattr(offers, _FLAGS[keyword], True)
        elif keyword in _WITH_ARGUMENTS:
            _WITH_ARGUMENTS[keyword](offers, words)
    return offers
