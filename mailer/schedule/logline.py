"""The line that tells a recipient's fate, as Postfix logs it (postconf(5), delay_logging_resolution_limit).

``QID: to=<x>, orig_to=<y>, relay=r, conn_use=2, delay=1.2, delays=0.1/0/0.5/0.6, dsn=2.0.0, status=sent (250 ...)``. The
delays are: before the message became active, in the active queue, connection set-up, transmission.
"""

from __future__ import annotations

from collections.abc import Callable

from mailer.message.address import quote
from mailer.message.delay import shown_delay
from mailer.message.envelope import Recipient
from mailer.message.status import Fate, Outcome

__all__ = ["DeliveryLine"]


class DeliveryLine:
    """Formats lines for one service.

    :param digits: delay_logging_resolution_limit. :param external: info_log_address_format (quoted local parts).
    """

    def __init__(self, digits: int = 2, external: bool = True) -> None:
        self._digits = digits
        self.shown: Callable[[str], str] = quote if external else str

    def __call__(
        self,
        queue_id: str,
        recipient: Recipient,
        outcome: Outcome,
        arrival: float,
        activated: float,
        started: float,
        now: float,
        word: str = "",
    ) -> str:
        """Times in seconds since the epoch. ``recipient`` has the address that was presented. ``word`` stands for the
        fate's own."""
        address, original = recipient.address, recipient.original
        orig_to = ""
        if original and original != address and original.lower() != address.lower():
            orig_to = f" orig_to=<{self.shown(original)}>,"
        conn_use = f" conn_use={outcome.conn_use}," if outcome.conn_use > 1 else ""
        connected = _connected(outcome, started, now)
        delay, digits = shown_delay, self._digits
        return (
            f"{queue_id}: to=<{self.shown(address)}>,{orig_to} relay={outcome.relay},{conn_use}"
            f" delay={delay(now - arrival, digits)}, delays={delay(activated - arrival, digits)}"
            f"/{delay(started - activated, digits)}/{delay(connected - started, digits)}"
            f"/{delay(now - connected, digits)}, dsn={outcome.status}, status={word or outcome.fate.value} ({outcome.text})"
        )


def _connected(outcome: Outcome, started: float, now: float) -> float:
    """When transmission began. Without a connection all the time went into trying to get one; a transport that needs
    none (local, virtual) has only transmitted."""
    if outcome.connected is not None:
        return outcome.connected
    return now if outcome.relay == "none" and outcome.fate is not Fate.SENT else started
