"""What else has to be settled before a session may carry mail: encryption and authentication have their place here."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from mailer.deliver.smtp.destination import Destination
from mailer.deliver.smtp.session import Session
from mailer.message.delivery import DeliveryRequest

__all__ = ["PlainPolicy", "Policy"]


class Policy(Protocol):
    """Asked at three points of each session. Whoever starts TLS says EHLO again (``mailer.deliver.smtp.greeting.hello``).

    The coroutines may raise SiteFailed (the server is of no use now) or MessageRefused (this message must not go there).
    """

    def key(self, destination: Destination, request: DeliveryRequest) -> Hashable:
        """What two deliveries must have in common, beside the site, to share a session."""

    async def connected(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        """The connection stands; nothing has been said."""

    async def established(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        """EHLO is done; MAIL comes next."""


class PlainPolicy:
    """Sessions as they are: neither encrypted nor authenticated."""

    def key(self, destination: Destination, request: DeliveryRequest) -> Hashable:
        return ""

    async def connected(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        return None

    async def established(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        return None
