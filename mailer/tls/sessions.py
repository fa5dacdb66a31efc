"""TLS sessions of a client, kept so that the next connection to the same server on the same terms can resume one.

postconf(5), smtp_tls_session_cache_database. They live in the memory of the process: what a session proves was verified
here, and its secrets are written nowhere.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

__all__ = ["Sessions"]

_MOST_SESSIONS = 5000


class Sessions:
    """:param seconds: a clock that only goes forward. :param lifetime: seconds that one is kept, 0 to keep none."""

    def __init__(self, seconds: Callable[[], float], lifetime: float) -> None:
        self._seconds = seconds
        self._lifetime = lifetime
        self._kept: OrderedDict[str, tuple[float, Any, str]] = OrderedDict()

    @property
    def enabled(self) -> bool:
        return self._lifetime > 0

    def clear(self) -> None:
        self._kept.clear()

    def find(self, key: str) -> tuple[Any, str] | None:
        """The session, and what was wrong with the server's certificate when it was made."""
        found = self._kept.get(key)
        if found is None:
            return None
        until, session, problem = found
        if until <= self._seconds():
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return session, problem

    def save(self, key: str, connection: SSL.Connection, problem: str) -> bool:
        """:return: whether there was a session to keep."""
        session = connection.get_session()
        if session is None:
            return False
        self._kept[key] = (self._seconds() + self._lifetime, session, problem)
        self._kept.move_to_end(key)
        if len(self._kept) > _MOST_SESSIONS:
            self._kept.popitem(last=False)
        return True
