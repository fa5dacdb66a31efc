"""An SMTP or LMTP conversation on a Twisted connection: bytes to and fro, time limits, back-pressure.

What is said is the conversation's business (``mailer.wire.smtp.client``), why it is said the caller's. A message costs one
Deferred; a small one goes out in one write for its envelope and one for its content, and messages that follow one
another on a connection share these. Under TLS the octets pass through a TlsLayer on their way out and in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure as TwistedFailure
from zope.interface import implementer

from mailer.message.status import MailError
from mailer.net.prompt import send
from mailer.net.sweep import NEVER, Sweep
from mailer.tls.layer import TlsFailed, TlsLayer
from mailer.wire.smtp.client import Conversation, Event, Failure, Step, Transaction
from mailer.wire.smtp.replies import PeerReply

__all__ = ["BrokenOff", "ClientConnection"]


class BrokenOff(Exception):
    """The conversation ended while a reply was awaited: ``failure`` says why, ``step`` where."""

    def __init__(self, failure: Failure, step: Step) -> None:
        super().__init__(f"{failure.value} at {step.value}")
        self.failure = failure
        self.step = step


@implementer(IPushProducer)
class ClientConnection(Protocol):
    """One connection to a server.

    :param conversation: a fresh Conversation.
    :param limits: seconds for each Step.
    :param sweep: watches the time limits.
    :param closed: called once, with this object, when the connection is gone or of no more use.
    :param remark: called with replies that are worth a remark (``Event.REMARK``).

    With ``per_request`` a limit is for all of a request's sending, or of a reply's coming, instead of for each piece of it;
    content then adds a second for each ``data_rate`` octets, up to the limit.
    ``idle_limit`` is how long the connection may wait for something to do before it says QUIT by itself.
    """

    transport: Any

    def __init__(
        self,
        conversation: Conversation,
        limits: Mapping[Step, float],
        sweep: Sweep,
        closed: Callable[[ClientConnection], None] = lambda connection: None,
        remark: Callable[[PeerReply], None] = lambda reply: None,
    ) -> None:
        self.conversation = conversation
        self.deadline = NEVER
        self.idle_limit = NEVER
        self.wait_for_quit = False
        self.per_request = False
        self.data_rate = 0
        self.connected_at = 0.0
        self.remark = remark
        self._leaving = False
        self.made: Deferred[ClientConnection] | None = None
        self._limits = limits
        self._sweep = sweep
        self._closed: Callable[[ClientConnection], None] | None = closed
        self._reply: Deferred[PeerReply] | None = None
        self._reply_step = Step.GREETING
        self._early: PeerReply | None = None
        self._paused: Deferred[None] | None = None
        self._layer: TlsLayer | None = None
        self._shaking: Deferred[None] | None = None

    # What the owner asks for.

    def greeting(self) -> Deferred[PeerReply]:
        """The server's greeting. Errback: BrokenOff."""
        return self._await_reply(Step.GREETING)

    def command(self, line: bytes, step: Step) -> Deferred[PeerReply]:
        """Say one command; its reply. Errback: BrokenOff."""
        self.conversation.command(line, step)
        self._flush()
        return self._await_reply(step)

    def start_tls(self, layer: TlsLayer) -> Deferred[None]:
        """Shake hands, as soon as nothing is awaited in plaintext. The time limit is that of STARTTLS for each step.

        Errback: TlsFailed, BrokenOff (at STARTTLS); the connection is of no more use then.
        """
        shaken: Deferred[None] = Deferred()
        if self.transport is None or not self.transport.connected or self._closed is None:
            shaken.errback(BrokenOff(Failure.LOST, Step.STARTTLS))
            return shaken
        self._layer, self._shaking = layer, shaken
        try:
            layer.begin()
        except TlsFailed as failure:
            self._fail_tls(failure)
        else:
            self._send_encrypted()
        self._renew()
        return shaken

    def deliver(self, transaction: Transaction, content: AsyncIterator[bytes] | None = None) -> Deferred[Transaction]:
        """Carry out a transaction. The Deferred never fails: the transaction's fields say what happened.

        :param content: what goes on the wire when ``transaction.body`` is None; read only if the server wants it.
        """
        done: Deferred[Transaction] = Deferred()
        transaction.owner = (done, content)
        if not self.conversation.usable:
            transaction.failure, transaction.step = Failure.LOST, Step.MAIL
            done.callback(transaction)
            return done
        self.conversation.begin(transaction)
        self._flush()
        return done

    def rest(self) -> None:
        """Nothing to do for now: ``idle_limit`` counts from here."""
        self._renew()

    def quit(self) -> None:
        """Take leave: QUIT as soon as it may be said, and away (after the reply, if ``wait_for_quit``)."""
        conversation = self.conversation
        if not conversation.usable and not conversation.transactions and conversation.step is None:
            self._leave()
            return
        conversation.quit()
        self._leaving = True
        self._gone()
        self._flush()
        self._depart()

    def leave(self) -> None:
        """Close without QUIT; what is not sent yet goes out first."""
        self._leave()

    def abort(self) -> None:
        """Close without a word, dropping what is not sent yet."""
        self._gone()
        if self.transport is not None:
            self.transport.abortConnection()

    # Twisted's side.

    def connectionMade(self) -> None:
        self.connected_at = self._sweep.seconds()
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)  # a UNIX-domain connection has none
        if set_no_delay is not None:
            set_no_delay(True)
        self._sweep.add(self)
        self._renew()
        if self.made is not None:
            self.made.callback(self)

    def dataReceived(self, data: bytes) -> None:
        if self._layer is not None:
            data = self._decrypt(self._layer, data)
            if not data:
                return
        replies = self.conversation.replies
        try:
            events = self.conversation.feed(data)
        except MailError:
            # A reply that cannot be read as it should be might mean anything.
            self._dispatch(self.conversation.fail(Failure.LOCAL))
            self.abort()
            return
        if not self.per_request or self.conversation.replies != replies:
            self._flush()
        if events:
            self._dispatch(events)
        if self._leaving:
            self._depart()
        elif self._layer is not None and self._layer.ended:
            self._dispatch(self.conversation.fail(Failure.LOST))
            self._leave()

    def _decrypt(self, layer: TlsLayer, data: bytes) -> bytes:
        """What the server said, if anything; the handshake goes on or ends here."""
        try:
            octets = layer.receive(data)
        except TlsFailed as failure:
            self._send_encrypted()  # an alert
            self._fail_tls(failure)
            return b""
        self._send_encrypted()
        if self._shaking is not None:
            self._renew()
            if layer.established:
                shaken, self._shaking = self._shaking, None
                shaken.callback(None)
        if layer.ended and not octets:
            self._dispatch(self.conversation.fail(Failure.LOST))
            self._leave()
        return octets

    def _fail_tls(self, failure: Exception) -> None:
        """Of what follows nothing can be understood."""
        shaking, self._shaking = self._shaking, None
        if shaking is not None:
            shaking.errback(failure)
        self._dispatch(self.conversation.fail(Failure.LOST))
        self._leave()

    def _send_encrypted(self) -> None:
        assert self._layer is not None
        octets = self._layer.take()
        if octets:
            send(self.transport, octets)

    def _depart(self) -> None:
        """On the way out: nothing holds us any more but, maybe, the reply to QUIT."""
        step = self.conversation.step
        if step is None or step is Step.QUIT and not self.wait_for_quit:
            self._leave()

    def connectionLost(self, reason: TwistedFailure = None) -> None:  # type: ignore[assignment]
        self.deadline = NEVER
        self._sweep.discard(self)
        shaking, self._shaking = self._shaking, None
        if shaking is not None:
            shaking.errback(BrokenOff(Failure.LOST, Step.STARTTLS))
        self._dispatch(self.conversation.fail(Failure.LOST))
        self.resumeProducing()
        self._gone()

    def pauseProducing(self) -> None:
        if self._paused is None:
            self._paused = Deferred()

    def resumeProducing(self) -> None:
        paused, self._paused = self._paused, None
        if paused is not None:
            if not (self.per_request and self.conversation.step is Step.BODY):
                self._renew()
            paused.callback(None)

    def stopProducing(self) -> None:
        self.resumeProducing()

    def expired(self, now: float) -> None:
        """The time limit of the current step has passed (called by the sweep)."""
        step = self.conversation.step
        shaking, self._shaking = self._shaking, None
        if shaking is not None:
            shaking.errback(BrokenOff(Failure.TIMEOUT, Step.STARTTLS))
        elif step is None:
            self.deadline = NEVER
            self.quit()
            return
        self._dispatch(self.conversation.fail(Failure.TIMEOUT))
        self.abort()

    # Inside.

    def _await_reply(self, step: Step) -> Deferred[PeerReply]:
        self._reply_step = step
        waiting: Deferred[PeerReply] = Deferred()
        if self._early is not None:
            early, self._early = self._early, None
            waiting.callback(early)
        elif not self.conversation.usable and self.conversation.step is None:
            waiting.errback(BrokenOff(self.conversation.failure or Failure.LOST, step))
        else:
            self._reply = waiting
        return waiting

    def _flush(self) -> None:
        self._put()
        self._renew()

    def _put(self) -> None:
        data = self.conversation.take()
        if data:
            if self._layer is None:
                send(self.transport, data)
            else:
                self._encrypt(self._layer, data)

    def _encrypt(self, layer: TlsLayer, data: bytes) -> None:
        try:
            layer.send(data)
        except TlsFailed as failure:
            self._fail_tls(failure)
        else:
            self._send_encrypted()

    def _renew(self) -> None:
        """A step forward: the time limit starts anew."""
        step = Step.STARTTLS if self._shaking is not None else self.conversation.step
        self.deadline = self._sweep.seconds() + (self.idle_limit if step is None else self._limits[step])

    def _extend(self, octets: int) -> None:
        """Content goes out: more time, as much as it is worth."""
        latest = self._sweep.seconds() + self._limits[Step.BODY]
        self.deadline = min(self.deadline + octets / max(self.data_rate, 1), latest)

    def _dispatch(self, events: list[tuple[Event, Any]]) -> None:
        for event, subject in events:
            if event is Event.FINISHED:
                done, _ = subject.owner
                subject.owner = None
                done.callback(subject)
            elif event is Event.REPLY:
                self._replied(subject)
            elif event is Event.REMARK:
                self.remark(subject)
            elif event is Event.CONTENT:
                Deferred.fromCoroutine(self._stream(subject))
            else:
                self._ended()

    def _replied(self, reply: PeerReply) -> None:
        waiting, self._reply = self._reply, None
        if waiting is None:
            self._early = reply
        else:
            waiting.callback(reply)

    def _ended(self) -> None:
        conversation = self.conversation
        waiting, self._reply = self._reply, None
        if waiting is not None:
            waiting.errback(BrokenOff(conversation.failure or Failure.LOST, self._reply_step))
        self._leave()

    def _leave(self) -> None:
        """Close in good order: what is not sent yet goes out first."""
        self._gone()
        if self.transport is not None and self.transport.connected:
            if self._layer is not None:
                self._layer.close()
                self._send_encrypted()
            self.transport.loseConnection()

    def _gone(self) -> None:
        closed, self._closed = self._closed, None
        if closed is not None:
            closed(self)

    async def _stream(self, transaction: Transaction) -> None:
        """Send the content as fast as the connection takes it."""
        content = transaction.owner[1]  # type: ignore[index]
        self.transport.registerProducer(self, True)
        try:
            async for chunk in content:
                if transaction.failure is not None:
                    return
                self.conversation.body(chunk)
                if self.per_request:
                    self._put()
                    self._extend(len(chunk))
                else:
                    self._flush()
                if self._paused is not None:
                    await self._paused
            if transaction.failure is None:
                self.conversation.end_body()
        except Exception as error:
            transaction.cause = error
            self._dispatch(self.conversation.fail(Failure.LOCAL))
            self.abort()
        finally:
            self.transport.unregisterProducer()
        self._flush()
