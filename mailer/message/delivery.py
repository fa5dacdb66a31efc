"""What the scheduler hands to a transport, and how a recipient's way out is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailer.message.envelope import Envelope, Recipient

if TYPE_CHECKING:
    from mailer.interfaces.queue import IContent

__all__ = ["DeliveryRequest", "Destination"]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a recipient goes: the transport (a master.cf service name), its nexthop, the recipient to present there.

    ``transport`` may be ``error`` or ``retry`` with the reason as nexthop (``5.1.1 no such user``), as in Postfix.
    ``address_class`` is ``local``, ``virtual_alias``, ``virtual_mailbox``, ``relay`` or ``default``. ``routed`` says that
    the local part names a further host (``user@elsewhere``, ``user%elsewhere``, ``elsewhere!user``), which strangers must
    not make us relay to; ``malformed`` that no host can be meant (the transport is then ``error``).
    """

    transport: str
    nexthop: str
    recipient: str
    address_class: str = "default"
    routed: bool = False
    malformed: bool = False


@dataclass(slots=True)
class DeliveryRequest:
    """One delivery attempt: one message, one nexthop, some of its recipients.

    Times are seconds since the epoch: ``activated`` is when the message entered the active queue, ``started`` when this
    attempt was handed to the transport. ``recipients`` hold the addresses to present at the nexthop.
    ``probe`` asks a transport to find out whether delivery would work, without delivering. ``busy`` says that more mail
    waits for this nexthop or that the last delivery to it has only just ended, so that a kept connection will soon be of
    use (smtp_connection_cache_on_demand). ``size`` is the message's as Postfix counts it (IQueueEntry.size).
    """

    queue_id: str
    envelope: Envelope
    content: IContent
    transport: str
    nexthop: str
    recipients: list[Recipient]
    activated: float = 0.0
    started: float = 0.0
    probe: bool = False
    busy: bool = False
    size: int = 0
    context: Any = None  # the scheduler's own; transports leave it alone
