"""One connection to a directory server: requests go out as they come, answers are matched by number (RFC 4511 4.1.1).

A connection with requests outstanding on which nothing arrives is asked for a sign of life (a read of the root DSE, which
costs a server nothing); if that stays away, too, the server hangs and the connection is given up. A slow search alone is no
reason: other answers, or that sign, show that the server lives. What a server may send is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from mailer.tables.failure import QueryError
from mailer.tables.ldap.ber import Malformed, message_end
from mailer.tables.ldap.filters import PRESENT
from mailer.tables.ldap.messages import (
    BIND_RESPONSE,
    EXTENDED_RESPONSE,
    SEARCH_DONE,
    SEARCH_ENTRY,
    SEARCH_REFERENCE,
    UNBIND,
    Entry,
    Result,
    Search,
    abandon,
    message,
    parse_entry,
    parse_message,
    parse_reference,
    parse_result,
)

__all__ = ["Connection", "ConnectionGone", "Reply"]

#: Octets of one message, and of one answer; entries of one answer.
_MESSAGE_LIMIT = 16 * 1024 * 1024
_ANSWER_LIMIT = 64 * 1024 * 1024
_MOST_ENTRIES = 200_000
_LAST_NUMBER = 2**31 - 1

SIGN_OF_LIFE = Search("", 0, PRESENT, ("1.1",)).encoded()


class ConnectionGone(Exception):
    """The connection ended before the answer. ``hung``: because the server gave no sign of life."""

    def __init__(self, reason: str, hung: bool = False) -> None:
        super().__init__(reason)
        self.hung = hung


class Reply:
    """All of an answer. ``references`` holds the URLs of each search result reference."""

    __slots__ = ("entries", "octets", "references", "result")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.references: list[tuple[str, ...]] = []
        self.result = Result(0)
        self.octets = 0


class Connection(Protocol):
    """:param reactor: IReactorTime. :param stall: seconds of silence after which a sign of life is asked for, and then
    waited for. :param lost: called with the connection when it is over, however that came.
    """

    def __init__(self, reactor: Any, stall: float, lost: Callable[[Connection], None]) -> None:
        self._reactor = reactor
        self._seconds = reactor.seconds
        self._stall = stall
        self._lost = lost
        self._pending: dict[int, tuple[Deferred[Reply], Reply]] = {}
        self._number = 0
        self._buffer = bytearray()
        self._wanted = 0
        self._heard = 0.0
        self._watch: Any = None
        self._questioned = False
        self._gone: ConnectionGone | None = None

    @property
    def usable(self) -> bool:
        return self._gone is None

    @property
    def hung(self) -> bool:
        """Whether it was given up because the server gave no sign of life."""
        return self._gone is not None and self._gone.hung

    @property
    def reason(self) -> str:
        """Why it is over, "" while it is not."""
        return str(self._gone) if self._gone is not None else ""

    @property
    def load(self) -> int:
        """How many answers are outstanding."""
        return len(self._pending)

    def connectionMade(self) -> None:
        for option in ("setTcpNoDelay", "setTcpKeepAlive"):
            set_option = getattr(self.transport, option, None)
            if set_option is not None:
                set_option(True)

    def ask(self, operation: bytes, controls: bytes = b"") -> Deferred[Reply]:
        """Send a request. :return: fires with the Reply, or fails with ConnectionGone, or QueryError when the answer exceeds
        a bound. Cancelling abandons the request."""
        self._number = number = self._number % _LAST_NUMBER + 1
        asked: Deferred[Reply] = Deferred(lambda _: self._abandon(number))
        if self._gone is not None:
            asked.errback(self._gone)
            return asked
        if not self._pending:
            self._heard = self._seconds()
            self._questioned = False
        self._pending[number] = (asked, Reply())
        self._send(message(number, operation, controls))
        if self._watch is None:
            self._watch = self._reactor.callLater(self._stall, self._look)
        return asked

    def start_tls(self, options: Any) -> None:
        """Everything from now on is encrypted. :param options: as ITLSTransport.startTLS takes them."""
        self.transport.startTLS(options)  # type: ignore[union-attr]

    def close(self) -> None:
        """Say good-bye; requests outstanding fail."""
        if self._gone is None:
            self._send(message(self._number % _LAST_NUMBER + 1, UNBIND))
            self.transport.loseConnection()  # type: ignore[union-attr]
            self._end(ConnectionGone("closed"))

    def abort(self, reason: str, hung: bool = False) -> None:
        """Give the connection up at once."""
        if self._gone is None:
            transport: Any = self.transport
            transport.abortConnection()
            self._end(ConnectionGone(reason, hung))

    def _send(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]

    def _abandon(self, number: int) -> None:
        if self._pending.pop(number, None) is not None:
            self._number = self._number % _LAST_NUMBER + 1
            self._send(message(self._number, abandon(number)))

    # -- what arrives

    def dataReceived(self, data: bytes) -> None:
        self._heard = self._seconds()
        self._questioned = False
        buffer = self._buffer
        if buffer:
            buffer += data
            if len(buffer) < self._wanted:
                return
            data = bytes(buffer)
            buffer.clear()
        self._wanted = 0
        try:
            self._take_all(data)
        except Malformed as error:
            self.abort(f"malformed answer: {error}")

    def _take_all(self, data: bytes) -> None:
        at = 0
        have = len(data)
        while at < have and self._gone is None:
            end = message_end(data, at, _MESSAGE_LIMIT)
            if end is None or end > have:
                self._buffer += data[at:]
                self._wanted = 0 if end is None else end - at
                return
            self._take(data, at, end)
            at = end

    def _take(self, data: bytes, at: int, end: int) -> None:
        number, tag, start, stop, rest = parse_message(data, at, end)
        pending = self._pending.get(number)
        if pending is None:
            if number == 0:
                result = parse_result(data, start, stop, rest, end)
                self.abort(f"the server ends the connection: {result.text or result.name}")
            return  # the answer to a request that was abandoned
        asked, reply = pending
        reply.octets += end - at
        if tag == SEARCH_ENTRY:
            reply.entries.append(parse_entry(data, start, stop))
        elif tag == SEARCH_REFERENCE:
            reply.references.append(parse_reference(data, start, stop))
        elif tag in (SEARCH_DONE, BIND_RESPONSE, EXTENDED_RESPONSE):
            reply.result = parse_result(data, start, stop, rest, end)
            del self._pending[number]
            asked.callback(reply)
            return
        if reply.octets > _ANSWER_LIMIT or len(reply.entries) > _MOST_ENTRIES:
            self._abandon(number)
            asked.errback(QueryError("an answer larger than this client is willing to take"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._gone is None:
            self._end(ConnectionGone(_explained(reason)))

    def _end(self, gone: ConnectionGone) -> None:
        self._gone = gone
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._buffer.clear()
        self._lost(self)
        pending, self._pending = self._pending, {}
        for asked, _ in pending.values():
            asked.errback(gone)

    # -- whether the server lives

    def _look(self) -> None:
        self._watch = None
        if not self._pending:
            return
        silence = self._seconds() - self._heard
        left = self._stall - silence if not self._questioned else 2 * self._stall - silence
        if left <= 0:
            if self._questioned:
                self.abort(f"no sign of life for {silence:.1f} seconds", hung=True)
                return
            self._question()
            left = self._stall
        self._watch = self._reactor.callLater(left, self._look)

    def _question(self) -> None:
        self._questioned = True
        self._number = number = self._number % _LAST_NUMBER + 1
        answer: Deferred[Reply] = Deferred(lambda _: self._abandon(number))
        answer.addBoth(lambda _: None)  # that anything came is enough
        self._pending[number] = (answer, Reply())
        self._send(message(number, SIGN_OF_LIFE))


def _explained(reason: Failure) -> str:
    error = reason.value
    entries = error.args[0] if error.args else None
    if isinstance(entries, list) and entries:  # OpenSSL's own complaints
        return "TLS: " + "; ".join(str(entry[-1]) for entry in entries if isinstance(entry, tuple))
    if isinstance(error, (ConnectionDone, ConnectionLost)):
        return "the server ended the connection"
    return str(error).rstrip(".") or type(error).__name__
