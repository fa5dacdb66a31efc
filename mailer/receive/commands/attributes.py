"""The arguments of XCLIENT and XFORWARD: ``NAME=value`` pairs in xtext (Postfix's XCLIENT_README and XFORWARD_README)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from mailer.wire.smtp.path import valid_hostname
from mailer.wire.smtp.xtext import decode_xtext

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["BadAttribute", "TEMPORARY", "UNAVAILABLE", "checked", "refusal_first", "read_attributes"]

UNAVAILABLE, TEMPORARY = "[UNAVAILABLE]", "[TEMPUNAVAIL]"
_LONGEST = 255


class BadAttribute(ValueError):
    """``args[0]`` is the reply."""


def refusal_first(session: SmtpSession, command: str, argument: str, granted: bool) -> str:
    """Why the command cannot be given at all, or ""."""
    if session.transaction is not None:
        return "503 5.5.1 Error: MAIL transaction in progress"
    if not argument.strip():
        return f"501 5.5.4 Syntax: {command} attribute=value..."
    if not granted:
        return "550 5.7.0 Error: insufficient authorization"
    return ""


def read_attributes(command: str, argument: str, known: frozenset[str], ipv6: bool) -> list[tuple[str, str]]:
    """:param ipv6: whether an IPv6 address is one (inet_protocols). :raise BadAttribute: one of them is wrong."""
    pairs = []
    for word in argument.split():
        name, _, value = word.partition("=")
        name = name.upper()
        if not value:
            raise BadAttribute("501 5.5.4 Error: attribute=value expected")
        if len(value) > _LONGEST:
            raise BadAttribute("501 5.5.4 Error: attribute value too long")
        try:
            value = decode_xtext(value)
        except ValueError:
            raise BadAttribute(f"501 5.5.4 Bad {name} syntax: {value}") from None
        if name not in known:
            raise BadAttribute(f"501 5.5.4 Bad {command} attribute name: {word.partition('=')[0]}")
        read = checked(name, value)
        if not ipv6 and name in ("ADDR", "DESTADDR") and ":" in read:
            raise BadAttribute(f"501 5.5.4 Bad {name} syntax: {value}")
        pairs.append((name, read))
    return pairs


def checked(name: str, value: str) -> str:
    """The value in its usual form. :raise BadAttribute: it cannot be one of ``name``."""
    if value.upper() in (UNAVAILABLE, TEMPORARY) and name not in ("PROTO", "DESTADDR", "DESTPORT"):
        return value.upper()
    check = _CHECKS.get(name)
    found = check(value) if check else value
    if found is None:
        raise BadAttribute(f"501 5.5.4 Bad {name} syntax: {value}")
    return found


def _address(value: str) -> str | None:
    text = value[5:] if value[:5].upper() == "IPV6:" else value
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _name(value: str) -> str | None:
    return value if valid_hostname(value.removesuffix("."), utf8=True) else None


def _port(value: str) -> str | None:
    return value if value.isascii() and value.isdigit() and len(value) <= 5 else None


def _protocol(value: str) -> str | None:
    return value.upper() if value.upper() in ("SMTP", "ESMTP") else None


def _source(value: str) -> str | None:
    return value.upper() if value.upper() in ("LOCAL", "REMOTE") else None


_CHECKS = {
    "SOURCE": _source,
    "NAME": _name,
    "REVERSE_NAME": _name,
    "ADDR": _address,
    "DESTADDR": _address,
    "PORT": _port,
    "DESTPORT": _port,
    "PROTO": _protocol,
}
