"""Host names and address literals as restrictions judge them, and whether the DNS knows a name (RFC 5321 5.1, RFC 7505)."""

from __future__ import annotations

import ipaddress
from typing import Any

from mailer.message.status import TemporaryError
from mailer.wire.smtp.path import valid_hostname, valid_literal

__all__ = ["NullMx", "is_address", "is_literal", "literal_address", "resolvable", "same_address", "without_dot"]


class NullMx(Exception):
    """The domain says that it takes no mail."""


def without_dot(name: str) -> str:
    """The name without the one dot that may end it."""
    return name[:-1] if name.endswith(".") and not name.endswith("..") else name


def is_address(text: str) -> bool:
    """Whether this is a bare IP address."""
    if "%" in text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_literal(text: str) -> bool:
    return text.startswith("[") and valid_literal(text)


def literal_address(domain: str) -> str:
    """The address in ``[...]``, "" if it is none."""
    if not is_literal(domain):
        return ""
    inner = domain[1:-1]
    return inner[5:] if inner[:5].lower() == "ipv6:" else inner


def same_address(one: str, other: str) -> bool:
    return one == other or ipaddress.ip_address(one) == ipaddress.ip_address(other)


async def resolvable(dns: Any, name: str, exchangers_first: bool) -> bool:
    """Whether the DNS has a mail exchanger or an address for the name.

    :param exchangers_first: ask for MX before addresses; a null MX then decides.
    :raise NullMx: it refuses all mail. :raise TemporaryError: nothing is known and something could not be told.
    """
    if not valid_hostname(name):
        return False
    trouble = None
    for kind in ("mx", "addresses") if exchangers_first else ("addresses", "mx"):
        try:
            if kind == "addresses":
                answer = await dns.addresses(name, hosts=False)
            else:
                answer = await dns.mx(name)
                if exchangers_first and answer.records and not answer.records[0][1]:
                    raise NullMx
        except TemporaryError as error:
            trouble = error
            continue
        if answer.records or answer.filtered:
            return True
    if trouble is not None:
        raise trouble
    return False
