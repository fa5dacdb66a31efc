"""Which rewriting applies to which address: canonical_classes, masquerade_classes and their kin (postconf(5)).

Four kinds of addresses: sender and recipient, each of the envelope and of header fields. All are completed, then the
canonical maps of their kind apply, then the common ones, then masquerading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailer.addressing.lookup import AddressMap
from mailer.addressing.masquerade import Masquerade
from mailer.message.mailboxes import Address
from mailer.message.status import TemporaryError

if TYPE_CHECKING:
    from mailer.clean.passage import Passage

__all__ = ["AddressRules", "not_written"]


def not_written() -> TemporaryError:
    """What the client hears when a table cannot tell now. The cause is in the log already."""
    return TemporaryError("", "4.3.0", "Error: queue file write error")


class _Kind:
    """The rules for one kind of address. ``plain``: nothing but completion."""

    def __init__(self, mapper: Any, maps: list[AddressMap], masquerade: Masquerade | None) -> None:
        self._mapper = mapper
        self._maps = [one for one in maps if one]
        self._masquerade = masquerade
        self.plain = not self._maps and masquerade is None

    async def apply(self, address: str, queue_id: str) -> str:
        """:raise TemporaryError: a table cannot tell now (it has been logged)."""
        try:
            for maps in self._maps:
                address = await self._mapper.canonical(maps, address, queue_id)
        except TemporaryError as error:
            raise not_written() from error
        return self._masquerade.apply(address) if self._masquerade is not None else address


class AddressRules:
    """:param addressing: a mailer.addressing.service.Addressing of the same settings."""

    def __init__(self, settings: Any, addressing: Any) -> None:
        mapper = addressing.mapper
        masquerade = Masquerade(settings.masquerade_domains, settings.masquerade_exceptions)

        def kind(name: str) -> _Kind:
            role = name.partition("_")[2]
            own, classes = (
                (mapper.sender_canonical, settings.sender_canonical_classes)
                if role == "sender"
                else (mapper.recipient_canonical, settings.recipient_canonical_classes)
            )
            maps = [own] if name in classes else []
            if name in settings.canonical_classes:
                maps.append(mapper.canonical_all)
            masked = masquerade and name in settings.masquerade_classes
            return _Kind(mapper, maps, masquerade if masked else None)

        self._local = addressing.completions["local"]
        self._sender = kind("envelope_sender")
        self._recipient = kind("envelope_recipient")
        self.header_sender = kind("header_sender")
        self.header_recipient = kind("header_recipient")

    async def envelope_sender(self, address: str, passage: Passage) -> str:
        address = self._local.rewrite(address)
        return (
            address if self._sender.plain or not passage.mapped else await self._sender.apply(address, passage.queue_id)
        )

    async def envelope_recipient(self, address: str, passage: Passage) -> str:
        address = self._local.rewrite(address)
        if self._recipient.plain or not passage.mapped or not address:
            return address
        return await self._recipient.apply(address, passage.queue_id)

    def complete(self, address: str) -> str:
        """An envelope address that needs nothing but completion."""
        return str(self._local.rewrite(address))

    @property
    def plain_recipients(self) -> bool:
        """Whether recipients need nothing but completion."""
        return self._recipient.plain

    async def header(self, address: Address, kind: _Kind, queue_id: str) -> None:
        """Map an address of a header field that has been completed."""
        if address.internal:
            mapped = await kind.apply(address.internal, queue_id)
            if mapped != address.internal:
                address.internal = mapped
