"""Macros in a pipe(8) command line: ``${recipient}``, ``$sender`` ... and the rule for several recipients.

An argument that holds a macro of the recipient's (recipient, original_recipient, user, extension, mailbox, domain) becomes
as many arguments as there are recipients; whatever stands around the macro is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailer.message.address import quote, split
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.tables.search import split_extension

__all__ = ["NotAnAddress", "UnknownMacro", "expand"]

_MACRO = re.compile(r"\$(?:\{([^{}]*)\}|\(([^()]*)\)|([A-Za-z0-9_]+)|(\$)|)")
_OF_RECIPIENT = frozenset(("recipient", "original_recipient", "user", "extension", "mailbox", "domain"))


class UnknownMacro(Exception):
    """The argument is the macro's name."""


class NotAnAddress(Exception):
    """A recipient without a domain, and somebody wants to know it."""


def expand(
    arguments: tuple[str, ...], flags: frozenset[str], null_sender: str, delimiters: str, request: DeliveryRequest
) -> tuple[str, ...]:
    """The command line for a request. :raise UnknownMacro, NotAnAddress:"""
    common = _common(flags, null_sender, request)
    expanded: list[str] = []
    for argument in arguments:
        names = {name for name in _names(argument) if name in _OF_RECIPIENT}
        if not names:
            expanded.append(_filled(argument, common.__getitem__))
            continue
        for recipient in request.recipients:
            own = _of_recipient(recipient, flags, delimiters, "domain" in names)
            expanded.append(_filled(argument, {**common, **own}.__getitem__))
    return tuple(expanded)


def _names(argument: str) -> list[str]:
    return [found[1] or found[2] or found[3] or "" for found in _MACRO.finditer(argument)]


def _filled(argument: str, value: Callable[[str], str]) -> str:
    def one(found: re.Match[str]) -> str:
        if found[4]:
            return "$"
        name = found[1] or found[2] or found[3] or ""
        try:
            return value(name)
        except KeyError:
            raise UnknownMacro(name) from None

    return _MACRO.sub(one, argument)


def _common(flags: frozenset[str], null_sender: str, request: DeliveryRequest) -> dict[str, str]:
    envelope, client = request.envelope, request.envelope.client
    sender = envelope.sender or null_sender
    return {
        "sender": quote(sender) if "q" in flags else sender,
        "nexthop": request.nexthop.lower() if "h" in flags else request.nexthop,
        "size": str(request.size),
        "queue_id": request.queue_id,
        "client_address": client.address,
        "client_helo": client.helo,
        "client_hostname": client.name,
        "client_port": client.port,
        "client_protocol": client.protocol,
        "sasl_method": client.sasl_method,
        "sasl_sender": client.sasl_sender,
        "sasl_username": client.sasl_username,
    }


def _of_recipient(recipient: Recipient, flags: frozenset[str], delimiters: str, domain_wanted: bool) -> dict[str, str]:
    address = _folded(recipient.address, flags)
    local, domain = split(address)
    if domain_wanted and "@" not in address:
        raise NotAnAddress(recipient.address)
    user, extension = split_extension(local, delimiters)
    original = _folded(recipient.original or recipient.address, flags)
    quoted = "q" in flags
    return {
        "recipient": quote(address) if quoted else address,
        "original_recipient": quote(original) if quoted else original,
        "user": user,
        "extension": extension[1:],
        "mailbox": local,
        "domain": domain,
    }


def _folded(address: str, flags: frozenset[str]) -> str:
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = domain, ""
    if "u" in flags:
        local = local.lower()
    if "h" in flags:
        domain = domain.lower()
    return f"{local}{at}{domain}"
