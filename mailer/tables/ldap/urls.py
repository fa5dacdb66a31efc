"""LDAP URLs (RFC 4516): where servers are (server_host), and what entries point to (special_result_attribute, referrals)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from mailer.tables.ldap.filters import PRESENT, BadFilter, compile_filter
from mailer.tables.text import string

__all__ = ["BadUrl", "LdapUrl", "Location", "is_url", "parse_location", "parse_url"]

_PORTS = {"ldap": 389, "ldaps": 636}
_SCHEMES = ("ldap", "ldaps", "ldapi")
_SCOPES = {"": 0, "base": 0, "one": 1, "onetree": 1, "sub": 2, "subtree": 2}
#: Where ldapi:/// listens on Debian.
_SOCKET = "/var/run/slapd/ldapi"


class BadUrl(ValueError):
    """Not an LDAP URL."""


@dataclass(frozen=True, slots=True)
class Location:
    """A server: ``host`` is a name, an address, or with ``ldapi`` a path; ``name`` is how messages call it."""

    scheme: str
    host: str
    port: int
    name: str


@dataclass(frozen=True, slots=True)
class LdapUrl:
    """What a URL asks for. ``attributes`` is empty for all; ``filter`` in BER; ``scope`` and ``filter`` are None if the URL
    leaves them open."""

    location: Location | None
    dn: str
    attributes: tuple[str, ...]
    scope: int | None
    filter: bytes | None

    @property
    def search_scope(self) -> int:
        return self.scope or 0

    @property
    def search_filter(self) -> bytes:
        return PRESENT if self.filter is None else self.filter


def is_url(text: str) -> bool:
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme.lower() in _SCHEMES


def parse_location(text: str, default_port: int) -> Location:
    """A word of server_host: a URL, ``host`` or ``host:port``. :raise BadUrl:"""
    if "://" not in text:
        host, port = _host_port(text, default_port)
        return Location("ldap", host, port, f"ldap://{_shown(host)}:{port}")
    scheme, _, rest = text.partition("://")
    return _location(scheme.lower(), rest.partition("/")[0], text)


def _location(scheme: str, authority: str, text: str) -> Location:
    if scheme not in _SCHEMES:
        raise BadUrl(text)
    if scheme == "ldapi":
        return Location(scheme, _unquoted(authority) or _SOCKET, 0, text)
    host, port = _host_port(authority, _PORTS[scheme])
    return Location(scheme, host or "localhost", port, text)


def _host_port(text: str, port: int) -> tuple[str, int]:
    host, digits = text, ""
    if text.startswith("["):
        host, bracket, digits = text[1:].partition("]")
        if not bracket or (digits and not digits.startswith(":")):
            raise BadUrl(text)
        digits = digits[1:]
    elif text.count(":") == 1:
        host, _, digits = text.partition(":")
    if digits:
        if not (digits.isascii() and digits.isdigit()) or not 0 < int(digits[:6]) < 65536:
            raise BadUrl(text)
        port = int(digits)
    return _unquoted(host), port


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def parse_url(text: str) -> LdapUrl:
    """A URL that an entry or a server gave. :raise BadUrl:"""
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _SCHEMES:
        raise BadUrl(text)
    authority, _, path = rest.partition("/")
    if "?" in authority:
        authority, _, path = rest.partition("?")
        path = "?" + path
    dn, attributes, scope, filter, *_ = path.split("?", 4) + [""] * 4
    if scope.lower() not in _SCOPES:
        raise BadUrl(text)
    names = tuple(_unquoted(name) for name in attributes.split(",") if name)
    try:
        compiled = compile_filter(_unquoted(filter)) if filter else None
    except BadFilter:
        raise BadUrl(text) from None
    location = _location(scheme, authority, text) if authority else None
    return LdapUrl(location, _unquoted(dn), names, _SCOPES[scope.lower()] if scope else None, compiled)


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text
    for piece in text.split("%")[1:]:
        if len(piece) < 2 or not all(char in "0123456789abcdefABCDEF" for char in piece[:2]):
            raise BadUrl(text)
    return string(unquote_to_bytes(text))
