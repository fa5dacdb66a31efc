"""What tables use together: connections to a server, answers fetched from it.

Services of one process that ask the same directory the same question (is this a recipient, asked by smtpd; where does it go,
asked by the queue manager) share one pool and one set of answers, as they would through proxymap(8).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

__all__ = ["Commons"]


class Commons:
    """Things by key; each has ``close()``."""

    def __init__(self) -> None:
        self._things: dict[Hashable, Any] = {}

    def share(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """``make()`` the first time, the same thing from then on."""
        found = self._things.get(key)
        if found is None:
            found = self._things[key] = make()
        return found

    def close(self) -> None:
        things, self._things = self._things, {}
        for thing in things.values():
            thing.close()
