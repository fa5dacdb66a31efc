"""Whether the client of a session is in one of the lists that main.cf has for clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.message.status import TemporaryError

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession
    from mailer.tables.match import AddressList

__all__ = ["listed"]


async def listed(session: SmtpSession, clients: AddressList) -> bool:
    """Whether the client is in a list; a list that cannot tell now has logged so and counts as no."""
    try:
        return await clients.match(session.client.name, session.client.address)
    except TemporaryError:
        return False
