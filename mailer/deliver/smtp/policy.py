"""What else has to be settled before a session may carry mail: encryption and authentication have their place here."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

from mailer.deliver.smtp.destination import Destination
from mailer.deliver.smtp.route import Address
from mailer.deliver.smtp.session import Session
from mailer.message.delivery import DeliveryRequest

__all__ = ["NoPolicy", "PlainPolicy", "Policy"]


class NoPolicy(Exception):
    """A server must not be called, because it cannot be told on what terms.

    ``text`` is why, "" if the recipients are only told that there is no server; ``status`` goes with it.
    """

    def __init__(self, text: str = "client TLS configuration problem", status: str = "4.7.5") -> None:
        super().__init__(text)
        self.text = text
        self.status = status


class Policy(Protocol):
    """Asked before, and at two points of, each session. Whoever starts TLS says EHLO again (``greeting.hello``).

    ``connected`` and ``established`` may raise SiteFailed (the server is of no use now), RetryInPlaintext (but it is
    without TLS) or MessageRefused (this message must not go there).
    """

    async def key(self, destination: Destination, request: DeliveryRequest) -> Hashable:
        """What two deliveries must have in common, beside the site, to share a session."""

    async def plan(self, destination: Destination, address: Address, request: DeliveryRequest, plain: bool) -> Any:
        """The terms for a server about to be called; it becomes ``Session.tls``.

        :param plain: TLS has just failed there. :raise NoPolicy:
        """

    def keeps(self, session: Session) -> bool:
        """Whether the session may carry a further message."""

    def retries_in_plaintext(self, session: Session, request: DeliveryRequest) -> bool:
        """Whether, the session having broken off, the same server shall be tried without TLS."""

    async def connected(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        """The connection stands; nothing has been said."""

    async def established(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        """EHLO is done; MAIL comes next."""


class PlainPolicy:
    """Sessions as they are: neither encrypted nor authenticated."""

    async def key(self, destination: Destination, request: DeliveryRequest) -> Hashable:
        return ""

    async def plan(self, destination: Destination, address: Address, request: DeliveryRequest, plain: bool) -> Any:
        return None

    def keeps(self, session: Session) -> bool:
        return True

    def retries_in_plaintext(self, session: Session, request: DeliveryRequest) -> bool:
        return False

    async def connected(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        return None

    async def established(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        return None
