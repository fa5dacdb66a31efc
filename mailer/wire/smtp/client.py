"""The client side of an SMTP or LMTP conversation (RFC 5321, 2033, 2920): octets in, octets and events out.

Every command is written down in one queue, and every reply is matched with the oldest unanswered command. With PIPELINING
the queue is put out at once; without it the next command waits for the reply to the one before. A transaction that
follows another one goes out together with the end of the one before, if the server can take that.

Knows no sockets, clocks, policies or texts. Its owner passes on what arrives, sends what ``take`` gives, and reads events.
Whatever a server does, each transaction ends in exactly one ``FINISHED``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

from mailer.wire.smtp.replies import GARBAGE, PeerReply, ReplyParser

__all__ = ["Conversation", "Event", "Failure", "Step", "Transaction"]


class Step(Enum):
    """What a conversation is waiting for: the reply to this command; BODY: that the content gets away."""

    GREETING = "greeting"
    EHLO = "EHLO"
    HELO = "HELO"
    LHLO = "LHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    XFORWARD_NAME = "XFORWARD name"
    XFORWARD_HELO = "XFORWARD helo"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    BODY = "content"
    DOT = "end of data"
    RSET = "RSET"
    PROBE = "RSET probe"
    QUIT = "QUIT"


class Event(Enum):
    """What happened. REPLY comes with a PeerReply (to a ``command`` or the greeting), CONTENT and FINISHED with a Transaction."""

    REPLY = "a command that is no part of a transaction was answered"
    CONTENT = "the server waits for the content of the transaction, which is not at hand: call body and end_body"
    FINISHED = "the transaction is over; its fields say how"
    REMARK = "what came is no reply (GARBAGE), or a reply had to be cut; its PeerReply comes with it"
    CLOSED = "the conversation is of no more use"


class Failure(Enum):
    """Why a conversation broke off."""

    LOST = "lost"  # the server closed the connection, or the network did
    TIMEOUT = "timeout"
    LOCAL = "local"  # our own content could not be read to its end


class Transaction:
    """One message for some recipients: what to say, and then what was answered.

    :param mail: the MAIL command, without line end.
    :param rcpts: the RCPT commands.
    :param body: the content as it goes on the wire (dots doubled, without the final one); None: it comes by ``body``.
    :param preamble: commands before MAIL with their step (XFORWARD); a refusal changes nothing.
    :param last: no other transaction follows, so QUIT goes out with the end of this one.
    :param stop: the step after whose reply a probe ends (RCPT or DATA); None for a real delivery.

    Afterwards: ``refused`` (refusals of the preamble, with their step), ``mail_reply``, ``rcpt_replies`` (as many as
    came), ``accepted`` (indices of accepted recipients), ``data_reply``, ``replies`` (to the end of data: one, or with LMTP
    one for each accepted recipient, in order), and, if the conversation broke off, ``failure`` and the ``step`` at which it
    did, and the ``cause`` of a LOCAL one. ``answered`` says whether any reply came.
    """

    __slots__ = (
        "mail", "rcpts", "body", "preamble", "last", "stop", "owner",
        "mail_reply", "rcpt_replies", "accepted", "data_reply", "replies", "failure", "step", "answered", "cause", "refused",
    )  # fmt: skip

    def __init__(
        self,
        mail: bytes,
        rcpts: list[bytes],
        body: bytes | None = None,
        preamble: tuple[tuple[bytes, Step], ...] = (),
        last: bool = False,
        stop: Step | None = None,
    ) -> None:
        self.mail = mail
        self.rcpts = rcpts
        self.body = body
        self.preamble = preamble
        self.last = last
        self.stop = stop
        self.owner: object = None  # the caller's own
        self.mail_reply: PeerReply | None = None
        self.rcpt_replies: list[PeerReply] = []
        self.accepted: list[int] = []
        self.data_reply: PeerReply | None = None
        self.replies: list[PeerReply] = []
        self.failure: Failure | None = None
        self.step: Step | None = None
        self.answered = False
        self.cause: Exception | None = None
        self.refused: list[tuple[Step, PeerReply]] = []


Events = list[tuple[Event, "PeerReply | Transaction | None"]]


class Conversation:
    """One connection's state.

    :param lmtp: whether each accepted recipient gets a reply of its own to the end of data.
    :param limit: the longest reply that is kept, in octets.
    :param rewrite: gives the line to be read in place of one that came; what it raises leaves ``feed``.

    ``replies`` counts the replies that were expected and came.
    ``pipelining`` is set by the owner when the server offers it. ``usable`` turns False when nothing more can be said:
    after a failure, or QUIT; ``failure`` then tells why, if it was no orderly end. ``welcome`` turns False as soon as the
    server has said 421: it may be about to close, so no further message should be tried here.
    """

    __slots__ = ("lmtp", "replies", "usable", "welcome", "pipelining", "failure", "_leaving", "_parser", "_out", "_pending",
                 "_expected", "_current", "_events", "_waiting")  # fmt: skip

    def __init__(self, lmtp: bool = False, limit: int = 2048, rewrite: Callable[[bytes], bytes] | None = None) -> None:
        self.lmtp = lmtp
        self.replies = 0
        self.usable = True
        self.welcome = True
        self.pipelining = False
        self.failure: Failure | None = None
        self._leaving = False  # QUIT has been said, or is about to be
        self._parser = ReplyParser(limit, rewrite)
        self._out: list[bytes] = []
        self._pending: deque[tuple[bytes, Step, Transaction | None]] = deque()
        self._expected: deque[tuple[Step, Transaction | None]] = deque([(Step.GREETING, None)])
        self._current: Transaction | None = None  # DATA said, final dot not yet: nothing else may be sent
        self._waiting: deque[Transaction] = deque()  # begun or to be begun, in order, not finished
        self._events: Events = []

    @property
    def step(self) -> Step | None:
        """What is awaited now, None when nothing is: an idle conversation."""
        if self._expected:
            return self._expected[0][0]
        return Step.BODY if self._current is not None else None

    @property
    def open(self) -> bool:
        """Whether a further message may be begun here."""
        return self.usable and self.welcome and not self._leaving and not (self._waiting and self._waiting[-1].last)

    @property
    def transactions(self) -> int:
        """How many transactions are not finished."""
        return len(self._waiting)

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way and nothing has arrived that nobody asked for."""
        return not self._expected and not self._waiting and not self._pending and self._parser.idle

    def take(self) -> bytes:
        """What is to be sent now."""
        if not self._out:
            return b""
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        return data

    def command(self, line: bytes, step: Step) -> None:
        """Say something that is no part of a transaction; its reply comes as a REPLY event."""
        self._pending.append((line, step, None))
        self._pump()

    def begin(self, transaction: Transaction) -> None:
        """Deliver a message, after those begun before."""
        self._waiting.append(transaction)
        pending = self._pending
        for line, step in transaction.preamble:
            pending.append((line, step, transaction))
        pending.append((transaction.mail, Step.MAIL, transaction))
        pending.extend([(rcpt, Step.RCPT, transaction) for rcpt in transaction.rcpts])
        if transaction.stop is not Step.RCPT:
            pending.append((b"DATA", Step.DATA, transaction))
        self._pump()

    def quit(self) -> None:
        """Say QUIT after everything else, if it has not been said."""
        if not self._leaving:
            self._leaving = True
            self._pending.append((b"QUIT", Step.QUIT, None))
            self._pump()

    def body(self, wire: bytes) -> None:
        """Send a piece of the content that a CONTENT event asked for."""
        self._out.append(wire)

    def end_body(self) -> None:
        """The content is complete."""
        transaction = self._current
        assert transaction is not None
        self._end(transaction)

    # Replies.

    def feed(self, data: bytes) -> Events:
        """Take what arrived; give the events that it caused."""
        for reply in self._parser.feed(data):
            if not self.usable and not self._expected:
                break  # whatever is said after the end
            starting_tls = bool(self._expected) and self._expected[0][0] is Step.STARTTLS and reply.code // 100 == 2
            self._reply(reply)
            if starting_tls:
                # RFC 3207 4.2: whatever came along in plaintext must not be taken for something said under TLS.
                self._parser.discard()
                break
        events, self._events = self._events, []
        return events

    def fail(self, failure: Failure) -> Events:
        """The conversation ends here: the connection was lost, a time limit passed, content is not to be had.

        A loss after QUIT, or in an idle conversation, only ends it.
        """
        if self.failure is None and (self._expected or self._waiting):
            self.failure = failure
        self._abandon(failure)
        events, self._events = self._events, []
        return events

    def _reply(self, reply: PeerReply) -> None:
        if reply.code == GARBAGE or reply.excess:
            self._events.append((Event.REMARK, reply))
            if reply.code == GARBAGE:
                return
        if reply.code == 421:
            self.welcome = False
        if not self._expected:
            # Nobody asked: a farewell (421) before the connection is closed, or a server out of step.
            self.usable = False
            self._events.append((Event.CLOSED, None))
            return
        self.replies += 1
        step, transaction = self._expected.popleft()
        if transaction is None:
            self._plain_reply(step, reply)
        else:
            transaction.answered = True
            _REACTIONS[step](self, transaction, reply)
        if self._pending:
            self._pump()

    def _plain_reply(self, step: Step, reply: PeerReply) -> None:
        if step is Step.QUIT:
            self.usable = False
            self._events.append((Event.CLOSED, None))
        elif step is Step.RSET:
            if reply.code // 100 != 2:
                self.welcome = False
        else:
            self._events.append((Event.REPLY, reply))

    def _name_reply(self, transaction: Transaction, reply: PeerReply) -> None:
        if reply.code // 100 != 2:
            transaction.refused.append((Step.XFORWARD_NAME, reply))

    def _helo_reply(self, transaction: Transaction, reply: PeerReply) -> None:
        if reply.code // 100 != 2:
            transaction.refused.append((Step.XFORWARD_HELO, reply))

    def _mail_reply(self, transaction: Transaction, reply: PeerReply) -> None:
        transaction.mail_reply = reply
        if reply.code // 100 != 2:
            self._withdraw(transaction)

    def _rcpt_reply(self, transaction: Transaction, reply: PeerReply) -> None:
        replies = transaction.rcpt_replies
        mail = transaction.mail_reply
        if reply.code // 100 == 2 and mail is not None and mail.code // 100 == 2:
            transaction.accepted.append(len(replies))
        replies.append(reply)
        if len(replies) == len(transaction.rcpts) and (not transaction.accepted or transaction.stop is Step.RCPT):
            self._withdraw(transaction)

    def _data_reply(self, transaction: Transaction, reply: PeerReply) -> None:
        transaction.data_reply = reply
        if reply.code // 100 != 3:
            self._current = None
            self._reset(transaction)
        elif transaction.stop is not None:
            # A probe that got as far as this has its answer; the server waits for content, so only closing is left.
            self._current = None
            self.usable = self.welcome = False
            self._finish(transaction)
        elif not transaction.accepted:
            self._end(transaction)  # all recipients were refused, but DATA was on its way already
        elif transaction.body is not None:
            self._out.append(transaction.body)
            self._end(transaction)
        else:
            self._events.append((Event.CONTENT, transaction))

    def _dot_reply(self, transaction: Transaction, reply: PeerReply) -> None:
        transaction.replies.append(reply)
        if not self.lmtp or len(transaction.replies) >= len(transaction.accepted):
            self._finish(transaction)

    # Commands.

    def _pump(self) -> None:
        """Put out what may be said now: everything, or one command, and nothing between DATA and the final dot."""
        pending, out, expected = self._pending, self._out, self._expected
        while pending and self._current is None and (self.pipelining or not expected):
            line, step, transaction = pending.popleft()
            out.append(line + b"\r\n")
            expected.append((step, transaction))
            if step is Step.DATA:
                self._current = transaction
            elif step is Step.QUIT:
                self.usable = False

    def _withdraw(self, transaction: Transaction) -> None:
        """Nothing can come of the transaction: take back what has not been said, or wait for what has."""
        pending = self._pending
        unsaid = bool(pending) and pending[0][2] is transaction
        while pending and pending[0][2] is transaction:
            pending.popleft()
        if unsaid or transaction.stop is Step.RCPT and not self._expects(transaction):
            self._reset(transaction)

    def _expects(self, transaction: Transaction) -> bool:
        return any(other is transaction for _, other in self._expected)

    def _reset(self, transaction: Transaction) -> None:
        """End a transaction before its content."""
        self._pending.appendleft((b"RSET", Step.RSET, None))
        if transaction.last and not self._leaving:
            self._leaving = True
            self._pending.insert(1, (b"QUIT", Step.QUIT, None))
        self._finish(transaction)

    def _end(self, transaction: Transaction) -> None:
        self._current = None
        self._out.append(b".\r\n")
        expects = max(len(transaction.accepted), 1) if self.lmtp else 1
        self._expected.extend([(Step.DOT, transaction)] * expects)
        if transaction.last and not self._leaving:
            self._leaving = True
            self._pending.appendleft((b"QUIT", Step.QUIT, None))
        self._pump()

    def _finish(self, transaction: Transaction) -> None:
        self._waiting.remove(transaction)
        self._events.append((Event.FINISHED, transaction))

    def _abandon(self, failure: Failure) -> None:
        self.usable = False
        self._expected, expected = deque(), self._expected
        self._pending.clear()
        self._out.clear()
        current, self._current = self._current, None
        awaited: dict[int, Step] = {}
        for at, transaction in expected:
            awaited.setdefault(id(transaction), at)
        for transaction in list(self._waiting):
            if transaction is current and id(transaction) not in awaited:
                transaction.step = Step.BODY
            else:
                transaction.step = awaited.get(id(transaction), Step.MAIL)
            transaction.failure = failure
            self._finish(transaction)
        self._events.append((Event.CLOSED, None))


_REACTIONS = {
    Step.XFORWARD_NAME: Conversation._name_reply,
    Step.XFORWARD_HELO: Conversation._helo_reply,
    Step.MAIL: Conversation._mail_reply,
    Step.RCPT: Conversation._rcpt_reply,
    Step.DATA: Conversation._data_reply,
    Step.DOT: Conversation._dot_reply,
}
