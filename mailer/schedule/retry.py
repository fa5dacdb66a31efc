"""When a message is tried again, when its sender is warned, when it is given up.

qmgr(8): the time to the next attempt is the message's age, kept between minimal_backoff_time and maximal_backoff_time, so
it doubles from attempt to attempt. Ages are in whole seconds, as qmgr(8) counts them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Patience"]


class Patience:
    """The rules as settings give them; all times in seconds.

    :param lifetime: maximal_queue_lifetime. :param bounce_lifetime: bounce_queue_lifetime (null sender).
    :param warning: delay_warning_time, 0: never.
    """

    def __init__(
        self, minimal: float, maximal: float, lifetime: float, bounce_lifetime: float, warning: float = 0.0
    ) -> None:
        self.minimal = minimal
        self.maximal = maximal
        self.lifetime = lifetime
        self.bounce_lifetime = min(bounce_lifetime, lifetime)
        self.warning = warning

    @classmethod
    def from_settings(cls, settings: Any, warn: Callable[[str], None]) -> Patience:
        if settings.bounce_queue_lifetime > settings.maximal_queue_lifetime:
            warn("bounce_queue_lifetime is larger than maximal_queue_lifetime - adjusting bounce_queue_lifetime")
        return cls(
            float(settings.minimal_backoff_time),
            float(settings.maximal_backoff_time),
            float(settings.maximal_queue_lifetime),
            float(settings.bounce_queue_lifetime),
            float(settings.delay_warning_time),
        )

    def next_attempt(self, now: float, arrival: float) -> float:
        return now + max(self.minimal, min(now - arrival, self.maximal))

    def expired(self, now: float, arrival: float, sender: str) -> bool:
        """Whether a message that could not be delivered just now is not to be tried again."""
        return int(now) >= int(arrival) + (self.lifetime if sender else self.bounce_lifetime)

    def warning_due(self, now: float, arrival: float) -> bool:
        """Whether the sender of a message that waits is to hear of it now (a second early, as qmgr(8))."""
        return self.warning > 0 and int(now) >= int(arrival) + self.warning - 1
