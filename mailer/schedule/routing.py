"""Which transport and which destination a recipient waits for: what qmgr(8) does around the address resolver.

In Postfix's order: a content filter overrides everything; the resolver's answer; addresses that no agent should see; the
local double-bounce address, whose mail is dropped; defer_transports. With ``*_destination_recipient_limit = 1`` the
destination is the recipient, without extension, instead of the nexthop. Recipients that turn out the same after resolving
are delivered twice, as by qmgr(8): removing duplicates is cleanup's work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mailer.message.address import domain_of, split
from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import MailError
from mailer.schedule.scheduler import RETRY, Place
from mailer.tables.search import split_extension

__all__ = ["DROP", "Routing"]

#: Stands for a place: the recipient's mail is dropped.
DROP: Place = ("", "", "")

#: What an envelope's ``probe`` says where nothing is delivered; address verification has routes of its own.
_VERIFICATION = "address"
_PROBES = ("verify", _VERIFICATION)

_NULL = "5.1.3 null recipient address"
_SYNTAX = "5.1.3 bad address syntax"
_RESOLVER = "4.3.0 address resolver failure"
_DEFERRED = "4.3.2 deferred transport"


class Routing:
    """:param addressing: IAddressing.
    :param one_each: whether a transport takes one recipient at a time.
    :param failed: told what a table could not tell.
    """

    def __init__(
        self, settings: Any, addressing: Any, one_each: Callable[[str], bool], failed: Callable[[str], None]
    ) -> None:
        self._addressing = addressing
        self._resolve = addressing.resolve
        self._one_each = one_each
        self._failed = failed
        self._defer_transports = frozenset(settings.defer_transports)
        self._filter_nexthop: str = settings.default_filter_nexthop
        self._double_bounce: str = settings.double_bounce_sender.lower()
        self._allow_minus: bool = settings.allow_min_user
        self._delimiters: str = settings.recipient_delimiter
        self._owners: bool = settings.owner_request_special
        self._hostname: str = settings.myhostname

    async def place(self, envelope: Envelope, recipient: Recipient, flushing: bool) -> tuple[Place, Recipient]:
        """:return: where it waits, and the recipient as it is to be presented there."""
        address = recipient.address
        if not address:
            return _error(_NULL), recipient
        if envelope.filter and envelope.probe not in _PROBES:
            transport, nexthop = self._filter(envelope.filter, address)
        else:
            try:
                resolve = self._addressing.resolve_probe if envelope.probe == _VERIFICATION else self._resolve
                found = await resolve(envelope.sender, address)
            except MailError as error:
                self._failed(error.cause or error.reply.text)
                return (RETRY, _RESOLVER, _RESOLVER), recipient
            transport, nexthop = found.transport, found.nexthop
            if found.recipient != address:
                recipient = replace(recipient, address=found.recipient, original=recipient.original or address)
                address = found.recipient
            if found.address_class == "local" and split(address)[0].lower() == self._double_bounce:
                return DROP, recipient
        if address[:1] == "-" and not self._allow_minus:
            return _error(_SYNTAX), recipient
        if transport in self._defer_transports and not flushing:
            return (RETRY, _DEFERRED, _DEFERRED), recipient
        if transport == RETRY or transport == "error":
            return (transport, nexthop, nexthop), recipient
        if self._one_each(transport):
            return (transport, self._user(address, nexthop), nexthop), recipient
        return (transport, nexthop.lower(), nexthop), recipient

    def _filter(self, wanted: str, address: str) -> tuple[str, str]:
        transport, _, nexthop = wanted.partition(":")
        return transport, nexthop or self._filter_nexthop or domain_of(address) or self._hostname

    def _user(self, address: str, nexthop: str) -> str:
        user = split(address)[0].lower()
        if self._delimiters and user != self._double_bounce:
            user = split_extension(user, self._delimiters, self._owners)[0]
        return f"{user}@{nexthop.lower()}"


def _error(reason: str) -> tuple[str, str, str]:
    return "error", reason, reason
