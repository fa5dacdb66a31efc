"""A circuit breaker: a server that does not answer is left alone, and tried again by one at a time.

Closed: everybody may ask. Open, once somebody found the server away: nobody, for a pause that doubles with every probe
that fails. When the pause is over one may probe; success closes. Knows no clock: ``now`` only goes forward.
"""

from __future__ import annotations

__all__ = ["Breaker"]


class Breaker:
    """:param pause: seconds until the first probe. :param longest: of the pauses.

    ``reason`` is why it is open, "" while it is closed; ``outages`` counts how often it opened.
    """

    def __init__(self, pause: float = 0.5, longest: float = 5.0) -> None:
        self._first = pause
        self._longest = longest
        self._pause = pause
        self._again = 0.0
        self._open = False
        self.probing = False
        self.reason = ""
        self.outages = 0

    @property
    def closed(self) -> bool:
        return not self._open

    def trip(self, now: float, reason: str) -> bool:
        """Somebody found the server away. Many find out at once, so an open breaker stays as it is.

        :return: whether it was closed until now."""
        if self._open:
            return False
        self._open = True
        self.outages += 1
        self.reason = reason
        self._pause = self._first
        self._again = now + self._pause
        return True

    def may_probe(self, now: float) -> bool:
        """Whether an open breaker lets one through now."""
        return self._open and not self.probing and now >= self._again

    def begin_probe(self) -> None:
        """Until ``close`` or ``probe_failed`` nobody else may probe."""
        self.probing = True

    def probe_failed(self, now: float, reason: str) -> None:
        self.probing = False
        self.reason = reason
        self._pause = min(self._longest, self._pause * 2)
        self._again = now + self._pause

    def close(self) -> bool:
        """The server has answered. :return: whether it was open until now."""
        was_open, self._open = self._open, False
        self.probing = False
        self.reason = ""
        return was_open
