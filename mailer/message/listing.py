"""One queue entry as mailq and postqueue show it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["QueueListing"]


@dataclass(slots=True)
class QueueListing:
    """``state`` is incoming, active, deferred, hold or corrupt; ``recipients`` are ``(address, last reason or "")``."""

    queue_id: str
    state: str
    arrival: float
    size: int
    sender: str
    forced_expire: bool = False
    recipients: list[tuple[str, str]] = field(default_factory=list)
