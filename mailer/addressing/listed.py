"""Whether an address exists, as reject_unlisted_recipient and reject_unlisted_sender ask (LOCAL_RECIPIENT_README).

Any address that a canonical or virtual alias table changes counts as existing; else the table of the address's class
decides, where there is one. The texts are those that Postfix gives to clients.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mailer.addressing.lookup import AddressMap, Search
from mailer.message.delivery import Destination
from mailer.message.status import Reply, TemporaryError

__all__ = ["Listing"]

_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:[ \t]+|\Z)")
_ALWAYS = frozenset(("postmaster", "mailer-daemon"))
#: Codes that speak of a recipient, and what they become for a sender (RFC 3463 3.2).
_FOR_SENDER = {"1.1": "1.7", "1.2": "1.8", "1.3": "1.7", "1.6": "1.7"}


class Listing:
    """The tables that know who exists."""

    def __init__(self, settings: Any, tables: Any, search: Search) -> None:
        def maps(specs: Iterable[str], title: str) -> AddressMap:
            return AddressMap(specs, tables, search, title)

        common = [
            maps(settings.canonical_maps, "canonical_maps"),
            maps(settings.virtual_alias_maps, "virtual_alias_maps"),
        ]
        recipients = maps(settings.recipient_canonical_maps, "recipient_canonical_maps")
        senders = maps(settings.sender_canonical_maps, "sender_canonical_maps")
        self._recipient_rewriting = [one for one in (recipients, *common) if one]
        self._sender_rewriting = [one for one in (senders, recipients, *common) if one]
        #: The class's tables, code and text, where it has tables.
        self._classes = {
            "local": (
                maps(settings.local_recipient_maps, "local_recipient_maps"),
                settings.unknown_local_recipient_reject_code,
                "local recipient",
            ),
            "virtual_mailbox": (
                maps(settings.virtual_mailbox_maps, "virtual_mailbox_maps"),
                settings.unknown_virtual_mailbox_reject_code,
                "virtual mailbox",
            ),
            "relay": (
                maps(settings.relay_recipient_maps, "relay_recipient_maps"),
                settings.unknown_relay_recipient_reject_code,
                "relay recipient",
            ),
        }
        self._names_table = settings.show_user_unknown_table_name
        self._alias_code = settings.unknown_virtual_alias_reject_code
        self._always = _ALWAYS | {settings.double_bounce_sender.lower()}

    async def recipient(self, recipient: str, destination: Destination) -> Reply | None:
        """:param destination: what the recipient resolves to.
        :return: None when it exists, else the reply. :raise TemporaryError: a table cannot tell now."""
        return await self._check(recipient, destination, self._recipient_rewriting, "Recipient")

    async def sender(self, sender: str, destination: Destination) -> Reply | None:
        """The same for a sender address."""
        return await self._check(sender, destination, self._sender_rewriting, "Sender")

    async def _check(
        self, shown: str, destination: Destination, rewriting: list[AddressMap], role: str
    ) -> Reply | None:
        address = destination.recipient
        for maps in rewriting:
            if await _knows(maps, address, shown):
                return None
        if destination.transport in ("error", "retry"):
            return self._undeliverable(shown, destination, role)
        if destination.address_class == "local" and address.rpartition("@")[0].lower() in self._always:
            return None
        listed = self._classes.get(destination.address_class)
        if listed is None or not listed[0] or await _knows(listed[0], address, shown):
            return None
        _, code, table = listed
        text = f"User unknown in {table} table" if self._names_table else "User unknown"
        return _reply(code, "1.1" if role == "Recipient" else "1.0", shown, role, text)

    def _undeliverable(self, shown: str, destination: Destination, role: str) -> Reply:
        """The error transport's reason, as what the client hears."""
        text = destination.nexthop
        match = _STATUS.match(text)
        detail = "1.1" if role == "Recipient" else "1.0"
        if match is not None:
            detail, text = match[1][2:], text[match.end() :]
            if role == "Sender":
                detail = _FOR_SENDER.get(detail, detail)
        code = 450 if destination.transport == "retry" else 550
        if destination.address_class == "virtual_alias":
            code = self._alias_code
        return _reply(code, detail, shown, role, text)


async def _knows(maps: AddressMap, address: str, shown: str) -> bool:
    try:
        return await maps.find(address) is not None
    except TemporaryError as error:
        raise TemporaryError(error.cause, "4.3.0", f"<{shown}>: Temporary lookup failure") from error


def _reply(code: int, detail: str, shown: str, role: str, text: str) -> Reply:
    return Reply(code, f"{code // 100}.{detail}", f"<{shown}>: {role} address rejected: {text}")
