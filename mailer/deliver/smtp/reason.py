"""Why a delivery did not work: an enhanced status code, the text for log and notice, and what the other side said."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mailer.wire.smtp.replies import PeerReply

__all__ = ["LOOP_STATUS", "Reason", "from_reply"]

LOOP_STATUS = "5.4.6"


@dataclass(frozen=True, slots=True)
class Reason:
    """``status`` is an RFC 3463 code; ``remote_mta`` and ``diagnostic`` are empty for what we found out ourselves."""

    status: str
    text: str
    remote_mta: str = ""
    diagnostic: str = ""

    @property
    def soft(self) -> bool:
        return self.status[:1] == "4"

    @property
    def loop(self) -> bool:
        return self.status[1:] == LOOP_STATUS[1:]

    def softened(self, status: str = "") -> Reason:
        """The same as a temporary failure."""
        return replace(self, status=status or "4" + self.status[1:])


def from_reply(reply: PeerReply, host: str, text: str, soften: bool = False) -> Reason:
    """A reply that says no.

    :param text: the whole sentence.
    :param soften: take a permanent failure for a temporary one.
    """
    status = reply.enhanced
    if status[:1] not in ("4", "5"):
        # A yes where it makes no sense.
        status, text = "5.5.0", "Protocol error: " + text
    if soften and status[0] == "5":
        status = "4" + status[1:]
    return Reason(status, text, host, reply.text)
