"""Asking saslauthd(8): a connection for each question, as its protocol has it."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from mailer.interfaces.context import Context
from mailer.wire.saslauthd import LONGEST, Answer, question

__all__ = ["SaslauthdClient", "SaslauthdFailed"]

_SOCKET = "/var/run/saslauthd/mux"
#: Seconds that saslauthd has; PAM modules hold failures back for some.
_TIMEOUT = 30.0
_MOST_AT_ONCE = 50


class SaslauthdFailed(Exception):
    """There is no answer; the text is for the log, as Cyrus SASL has it."""


class _Question(Protocol):
    def __init__(self, octets: bytes, answered: Deferred[bool]) -> None:
        self._octets = octets
        self._answered: Deferred[bool] | None = answered
        self._answer = Answer()

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(self._octets)

    def dataReceived(self, data: bytes) -> None:
        self._answer.feed(data)
        if self._answer.text is not None and self._answered is not None:
            answered, self._answered = self._answered, None
            answered.callback(self._answer.good)
            self._close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.give_up("size read failed")

    def give_up(self, reason: str) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            self._close()
            answered.errback(SaslauthdFailed(reason))

    def _close(self) -> None:
        transport: Any = self.transport
        transport.loseConnection()


class _Asking(ClientFactory):
    noisy = False

    def __init__(self, octets: bytes) -> None:
        self.answered: Deferred[bool] = Deferred()
        self._octets = octets
        self.asked: _Question | None = None

    def buildProtocol(self, addr: Any) -> _Question:
        self.asked = _Question(self._octets, self.answered)
        return self.asked

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        number = getattr(reason.value, "osError", None)
        why = os.strerror(number if isinstance(number, int) else 110)
        self.answered.errback(SaslauthdFailed(f"cannot connect to saslauthd server: {why}"))


class SaslauthdClient:
    """:param path: of the socket, relative to the queue directory if it is not absolute; "": the usual one. A directory stands
    for the socket ``mux`` in it."""

    def __init__(self, path: str, context: Context) -> None:
        self._reactor = context.reactor
        self._path = os.path.join(context.queue_directory, path or _SOCKET)
        self._under_way = 0

    async def verify(self, user: str, password: bytes, service: str, realm: str) -> bool:
        """:raise SaslauthdFailed: it cannot tell now."""
        if self._under_way >= _MOST_AT_ONCE:
            raise SaslauthdFailed("too many questions under way")
        if len(password) > LONGEST or b"\0" in password:
            return False
        try:
            octets = question(user, password, service, realm)
        except ValueError:
            return False
        asking = _Asking(octets)
        self._under_way += 1
        self._reactor.connectUNIX(self._path, asking, _TIMEOUT)
        timer = self._reactor.callLater(_TIMEOUT, _hurry, asking)
        try:
            return await asking.answered
        finally:
            self._under_way -= 1
            if timer.active():
                timer.cancel()


def _hurry(asking: _Asking) -> None:
    if asking.asked is not None:
        asking.asked.give_up("timeout")
