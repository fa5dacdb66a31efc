"""Sessions kept open for the next message (postconf(5): smtp_connection_cache_*, smtp_connection_reuse_*).

A session waits under its key for as long as cache_time_limit; its connection says QUIT by itself when that has passed.
While it carries a message, a second one may be lined up behind it, so that its envelope goes out together with the end of
the one before: half the writes and reads. That is for servers that answer at once, where nobody has to wait in line.
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

    #: A whole message in less than so many seconds makes a server one that answers at once.
    quick = 0.05
    #: With fewer sessions to a destination than this, another session is better than a line.
    fewest = 2

    def __init__(self, parameters: ClientParameters, seconds: Callable[[], float]) -> None:
        self._parameters = parameters
        self.seconds = seconds
        self._idle: dict[Hashable, list[Session]] = {}
        self._closed = False
        self._busy: dict[Hashable, list[Session]] = {}
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
        return self.seconds() - session.started < parameters.reuse_time_limit

    def wanted(self, name: str, busy: bool) -> bool:
        """Whether a session to this destination (a domain, host or path) is kept.

        :param busy: whether more mail waits for the destination.
        """
        parameters = self._parameters
        return busy and parameters.cache_on_demand or name.lower() in parameters.cache_destinations

    def carrying(self, session: Session) -> None:
        """A session that will be kept has a message to carry."""
        self._busy.setdefault(session.key, []).append(session)

    def share(self, key: Hashable) -> Session | None:
        """A session that carries a message and may be given another one to carry after it."""
        busy = self._busy.get(key)
        if busy is None or len(busy) < self.fewest:
            return None
        for session in busy:
            conversation = session.connection.conversation
            if session.quick and conversation.pipelining and conversation.open and conversation.transactions == 1:
                return session if self.keeps(session) else None
        return None

    def done(self, session: Session) -> None:
        """One message less to carry."""
        busy = self._busy[session.key]
        busy.remove(session)
        if not busy:
            del self._busy[session.key]

    def put(self, session: Session) -> None:
        """Keep a session that has nothing under way, if it can still be of use; else take leave of it."""
        conversation = session.connection.conversation
        if conversation.transactions:
            return  # whoever is next in line puts it here
        if not (conversation.open and self.keeps(session)):
            session.connection.quit()
            return
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
            if session.connection.conversation.open:
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
