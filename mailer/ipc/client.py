"""The side that asks: one connection to another daemon, made when needed and made again when lost.

A call made while there is no connection waits for one, since a daemon that is restarted is back within a second. A peer that
says nothing for a while though something is asked of it is pinged; one that does not answer that is given up, with all that
it was asked: each of those calls fails with LostPeer, for nobody can say how far the peer had come. A peer that says ``bye``
is asked nothing more; it answers what it was asked, and the next call goes to its successor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from mailer.ipc.errors import LostPeer, load_error
from mailer.ipc.framing import FrameError
from mailer.ipc.wire import FrameProtocol
from mailer.message.status import TemporaryError
from mailer.net.sweep import NEVER, Sweep

__all__ = ["Client"]

#: Seconds of silence after which a peer that owes an answer is pinged, and after which it is given up.
PING_AFTER = 10.0
GIVE_UP_AFTER = 40.0
#: Seconds that a call waits for a connection.
CONNECT_WITHIN = 30.0
#: Seconds between two attempts to connect: the first and the longest pause.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0

#: Values and body of an answer.
Answer = tuple[list[Any], bytes]
#: Told of each event: values and body.
Events = Callable[[list[Any], bytes], None]


class Client:
    """:param reactor: IReactorTime and IReactorUNIX. :param path: of the peer's socket.
    :param name: the peer, for messages.

    ``introductions`` are called with this client whenever a connection is there, before anything else is sent over it.
    """

    def __init__(self, reactor: Any, path: str, name: str) -> None:
        self.name = name
        self.reactor = reactor
        self.introductions: list[Callable[[Client], None]] = []
        self.sweep = Sweep(reactor)
        self._path = path
        self._number = 0
        self._waiting: deque[tuple[list[Any], bytes, Deferred[Answer], Events | None]] = deque()
        self._peer: _Peer | None = None
        self._leaving: set[_Peer] = set()  # connections that are used for no new call
        self._connecting = False
        self._pause = _FIRST_PAUSE
        self._retry: Any = None
        self._since = 0.0  # when the present attempts to connect began
        self._closed = False

    @property
    def outstanding(self) -> int:
        """How many calls wait for their answers."""
        peers = [self._peer, *self._leaving] if self._peer is not None else self._leaving
        return len(self._waiting) + sum(len(peer.pending) for peer in peers)

    @property
    def connected(self) -> bool:
        return self._peer is not None

    def call(self, verb: str, *arguments: Any, body: bytes = b"", events: Events | None = None) -> Deferred[Answer]:
        """Ask. :return: fires with the answer's values and body; fails with LostPeer or what the peer raised."""
        answer: Deferred[Answer] = Deferred()
        self._number += 1
        header = [verb, self._number, 0.0, *arguments]
        peer = self._peer
        if peer is not None and not peer.crowded:
            peer.ask(header, body, answer, events)
        elif self._closed:
            answer.errback(LostPeer(f"the connection to {self.name} is closed"))
        else:
            self._waiting.append((header, body, answer, events))
            self._want()
        return answer

    def cast(self, verb: str, *arguments: Any) -> None:
        """Tell, if the peer is there: who does not listen is not told again."""
        if self._peer is not None:
            self._peer.send([verb, 0, 0.0, *arguments])

    def cast_later(self, verb: str, *arguments: Any) -> None:
        """As ``cast``, but it may wait a moment for something else that is sent."""
        if self._peer is not None:
            self._peer.send_later([verb, 0, 0.0, *arguments])

    def start(self) -> None:
        """Connect without waiting for the first call."""
        self._want()

    def close(self) -> None:
        """Let go; calls without an answer fail."""
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        for peer in [self._peer, *self._leaving]:
            if peer is not None:
                peer.flush()
                peer.transport.loseConnection()
        self._fail_waiting("is closed")

    # -- connecting

    def _want(self) -> None:
        if self._peer is None and not self._connecting and self._retry is None:
            self._since = self.reactor.seconds()
            self._pause = _FIRST_PAUSE
            self._connect()

    def _connect(self) -> None:
        self._retry = None
        self._connecting = True
        self.reactor.connectUNIX(self._path, _Factory(self), 5)

    def failed(self, reason: Failure) -> None:
        """For the factory: no connection now."""
        self._connecting = False
        if self._closed:
            return
        if self.reactor.seconds() - self._since >= CONNECT_WITHIN:
            self._since = self.reactor.seconds()
            self._fail_waiting(f"cannot be made: {reason.getErrorMessage()}")
        if self._waiting or self.introductions:
            self._retry = self.reactor.callLater(self._pause, self._connect)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def made(self, peer: _Peer) -> None:
        """For a connection: here it is."""
        self._connecting = False
        if self._closed:
            peer.transport.loseConnection()
            return
        self._peer = peer
        for introduce in self.introductions:
            introduce(self)
        self.relieved(peer)

    def relieved(self, peer: _Peer) -> None:
        """For a connection: more can be sent."""
        while self._waiting and peer is self._peer and not peer.crowded:
            peer.ask(*self._waiting.popleft())

    def leaving(self, peer: _Peer) -> None:
        """For a connection: the peer is about to end."""
        if peer is self._peer:
            self._peer = None
            self._leaving.add(peer)
            self._want_again()

    def lost(self, peer: _Peer) -> None:
        """For a connection: it is over."""
        self._leaving.discard(peer)
        if peer is self._peer:
            self._peer = None
            self._want_again()

    def _want_again(self) -> None:
        # Also when nothing is asked now: what has been introduced to the old one is to be known to the new one.
        if (self._waiting or self.introductions) and not self._closed:
            self._want()

    def _fail_waiting(self, why: str) -> None:
        waiting, self._waiting = self._waiting, deque()
        for _, _, answer, _ in waiting:
            answer.errback(LostPeer(f"the connection to {self.name} {why}"))


class _Peer(FrameProtocol):
    """One connection, and what is asked over it. ``pending`` are calls without an answer."""

    def __init__(self, client: Client) -> None:
        super().__init__(client.reactor)
        self._client = client
        self.pending: dict[int, tuple[Deferred[Answer], Events | None]] = {}
        self.deadline = NEVER
        self._pinged = False
        self._leaving = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self._client.made(self)

    def ask(self, header: list[Any], body: bytes, answer: Deferred[Answer], events: Events | None) -> None:
        """Send a request. Its answer fires ``answer``."""
        header[2] = self._reactor.seconds()
        try:
            self.send(header, body)
        except FrameError as error:
            answer.errback(TemporaryError(str(error), "4.3.1", "Insufficient system resources", 452))
            return
        if not self.pending:
            self._watch()
        self.pending[header[1]] = (answer, events)

    def frame(self, header: list[Any], body: bytes) -> None:
        if header == ["bye"]:
            self._leaving = True
            self._client.leaving(self)
            self._end_if_done()
            return
        if len(header) < 2:
            raise FrameError(f"no answer: {str(header)[:100]}")
        number, kind = header[0], header[1]
        pending = self.pending.get(number)
        if pending is None:  # a ping's
            return
        answer, events = pending
        if kind == "event":
            if events is not None:
                events(header[2:], body)
            return
        del self.pending[number]
        if self._leaving:
            self._end_if_done()
        if kind == "ok":
            answer.callback((header[2:], body))
        else:
            answer.errback(_error(header))

    def _end_if_done(self) -> None:
        if not self.pending:
            self.transport.loseConnection()

    def relieved(self) -> None:
        self._client.relieved(self)

    def lost(self) -> None:
        self._client.sweep.discard(self)
        pending, self.pending = self.pending, {}
        self._client.lost(self)
        for answer, _ in pending.values():
            answer.errback(LostPeer(f"the connection to {self._client.name} is lost"))

    # -- whether the peer lives (mailer.net.sweep.Limited)

    def _watch(self) -> None:
        """Something is asked of a peer that owed nothing: until now it was silent for a reason."""
        self._pinged = False
        self.heard = self._reactor.seconds()
        self.deadline = self.heard + PING_AFTER
        self._client.sweep.add(self)

    def expired(self, now: float) -> None:
        """Nothing may have been heard for too long."""
        silence = now - self.heard
        if not self.pending:
            self._client.sweep.discard(self)
        elif silence >= GIVE_UP_AFTER:
            self.transport.abortConnection()
        elif silence >= PING_AFTER and not self._pinged:
            self._pinged = True
            self.send(["ping", -1, 0.0])
            self.deadline = self.heard + GIVE_UP_AFTER
        else:
            self._pinged = False
            self.deadline = self.heard + PING_AFTER


def _error(header: list[Any]) -> Exception:
    try:
        if header[1] != "error":
            raise ValueError(header[1])
        return load_error(header[2])
    except (ValueError, TypeError, IndexError):
        return TemporaryError(f"no answer: {str(header)[:100]}")


class _Factory(ClientFactory):
    noisy = False

    def __init__(self, client: Client) -> None:
        self._client = client

    def buildProtocol(self, address: Any) -> _Peer:
        return _Peer(self._client)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._client.failed(reason)
