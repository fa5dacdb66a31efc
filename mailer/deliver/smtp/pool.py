"""Sessions kept open for the next message (postconf(5): smtp_connection_cache_*, smtp_connection_reuse_*).

A session waits under its key for as long as cache_time_limit; its connection says QUIT by itself when that has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.session import Session
from mailer.net.client import ClientConnection

__all__ = ["Pool"]


class Pool:
    """Idle sessions, by key; the one used last is taken first, so that others may end.

    :param seconds: the reactor's clock.
    """

    def __init__(self, parameters: ClientParameters, seconds: Callable[[], float]) -> None:
        self._parameters = parameters
        self._seconds = seconds
        self._idle: dict[Hashable, list[Session]] = {}
        self._closed = False
        self._keys: dict[ClientConnection, tuple[Hashable, Session]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def keeps(self, session: Session) -> bool:
        """Whether a session may be used again after the message that it is about to carry."""
        parameters = self._parameters
        if self._closed:
            return False
        if parameters.reuse_count_limit and session.uses > parameters.reuse_count_limit:
            return False
        return self._seconds() - session.started < parameters.reuse_time_limit

    def wanted(self, name: str, busy: bool) -> bool:
        """Whether a session to this destination (a domain, host or path) is kept.

        :param busy: whether more mail waits for the destination.
        """
        parameters = self._parameters
        return busy and parameters.cache_on_demand or name.lower() in parameters.cache_destinations

    def put(self, session: Session) -> None:
        """Keep a session that has nothing under way, if it can still be of use; else take leave of it."""
        conversation = session.connection.conversation
        if not (conversation.usable and conversation.welcome and self.keeps(session)):
            session.connection.quit()
            return
        session.connection.idle_limit = self._parameters.cache_time_limit
        session.connection.rest()
        self._idle.setdefault(session.key, []).append(session)
        self._keys[session.connection] = (session.key, session)

    def take(self, key: Hashable) -> Session | None:
        """A session for this key, no longer kept; None if there is none."""
        waiting = self._idle.get(key)
        while waiting:
            session = waiting.pop()
            del self._keys[session.connection]
            if not waiting:
                del self._idle[key]
            conversation = session.connection.conversation
            if conversation.usable and conversation.welcome:
                return session
            session.connection.quit()
        return None

    def forget(self, connection: ClientConnection) -> None:
        """A connection has been closed, by whomever."""
        found = self._keys.pop(connection, None)
        if found is not None:
            key, session = found
            waiting = self._idle[key]
            waiting.remove(session)
            if not waiting:
                del self._idle[key]

    def close(self) -> None:
        """Take leave of all, and keep none from now on."""
        self._closed = True
        for connection in list(self._keys):
            connection.quit()
