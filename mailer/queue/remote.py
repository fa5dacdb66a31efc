"""The queue as daemons have it that do not own the store: an IMessageSink whose commit is a call to the queue manager.

    queue      queue id, arrival, size, octets, filed, recipients in all, envelope, [recipients ...]   body: content
               answered when the message is durable; ``filed``: its content lies in the queue's directory, synced
    spooling   left_behind                      this process writes contents; some of them may belong to nobody now

Up to 64 KiB of content travel with the call. More is written to the queue's content directory by the process that receives
it, which keeps its lock until it has the answer; the file is synced before the call is made. Crash rules: docs/processes.rst.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import SystemRandom
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from mailer.interfaces.sink import IMessageSink
from mailer.ipc.client import Client
from mailer.ipc.errors import LostPeer
from mailer.ipc.server import Call, Verb
from mailer.message.codec import dump_envelope, load_envelope, load_recipients
from mailer.message.envelope import Envelope, Recipient
from mailer.message.queueid import LANES, QueueIds, is_queue_id
from mailer.message.status import MailError, TemporaryError
from mailer.queue.batch import Insert
from mailer.queue.failure import as_mail_error
from mailer.queue.incoming import IncomingMessage, job
from mailer.queue.schema import BLOCK, State
from mailer.queue.space import Space
from mailer.queue.spool import ContentFile, Spool

__all__ = ["QueueService", "RemoteQueue"]

#: Seconds after which a file is closed for sure.
_CLOSED_AFTER = 1.0


@implementer(IMessageSink)
class RemoteQueue:
    """:param client: to the queue manager.
    :param spool: writes contents into the queue's directory.
    :param space: what the disk has free. :param seconds: the wall clock.
    :param lane: this process's own among LANES; the queue manager's is 0.
    """

    def __init__(
        self,
        client: Client,
        spool: Spool,
        space: Space,
        seconds: Callable[[], float],
        lane: int,
        long_ids: bool = False,
        serial: int | None = None,
    ) -> None:
        self._client = client
        self._spool = spool
        self._space = space
        self._seconds = seconds
        start = SystemRandom().randrange(1 << 24) if serial is None else serial
        self._ids = QueueIds(seconds, start, long_ids, lane, LANES)
        self._left_behind = False
        client.introductions.append(self._introduce)

    def open(self, envelope: Envelope, producer: Any = None) -> IncomingMessage:
        if envelope.source == "smtp":
            if self._space.stale:
                Deferred.fromCoroutine(self._space.refresh())
            self._space.check(envelope.size)
        return IncomingMessage(self, envelope, producer, self._ids.next())

    def content_file(self, queue_id: str, producer: Any) -> ContentFile:
        """For IncomingMessage."""
        return self._spool.create(queue_id, producer)

    def insert(self, message: IncomingMessage) -> None:
        """For IncomingMessage: fires ``message.durable`` when the queue manager has it."""
        envelope = message.envelope
        if not envelope.arrival:
            envelope.arrival = self._seconds()
        asked = self._client.call(
            "queue",
            message.queue_id,
            envelope.arrival,
            message.size,
            message.octets,
            message.file is not None,
            message.total,
            dump_envelope(envelope),
            message.blocks(),
            body=message.data or b"",
        )
        message.durable = asked.addCallbacks(  # type: ignore[assignment]
            self._taken, self._refused, callbackArgs=(message,), errbackArgs=(message,)
        )

    @staticmethod
    def _taken(answer: Any, message: IncomingMessage) -> str:
        if message.file is not None:
            message.file.close()
        return message.queue_id

    def _refused(self, failure: Any, message: IncomingMessage) -> Any:
        if failure.check(LostPeer):
            # It may be in the queue all the same. If it is not, its file is removed as one that belongs to nobody.
            if message.file is not None:
                message.file.close()
                self._client.reactor.callLater(_CLOSED_AFTER, self._leave_behind)
            raise TemporaryError(failure.value.cause, "4.3.0", "Error: queue file write error")
        message.discard()
        raise as_mail_error(failure.value)

    def _introduce(self, client: Client) -> None:
        client.cast("spooling", self._left_behind)
        self._left_behind = False

    def _leave_behind(self) -> None:
        self._left_behind = True
        if self._client.connected:
            self._introduce(self._client)


class _Filed:
    """Stands for a content file that its writer looks after."""

    def close(self) -> None:
        return None


class HandedMessage:
    """A message that another process has received, for SqliteQueue.insert. Its texts go into the rows as they are."""

    __slots__ = ("_blocks", "_text", "data", "durable", "envelope", "file", "octets", "queue_id", "size", "total")

    def __init__(
        self,
        queue_id: str,
        arrival: float,
        size: int,
        octets: int,
        filed: bool,
        total: int,
        envelope: str,
        blocks: list[str],
        data: bytes,
    ) -> None:
        """:raise ValueError: (or TypeError, KeyError) it makes no sense."""
        if not is_queue_id(queue_id) or (total + BLOCK - 1) // BLOCK != len(blocks):
            raise ValueError(f"not a message: {str(queue_id)[:100]}, {total} recipients")
        self.queue_id = queue_id
        self.size = int(size)
        self.octets = int(octets)
        self.file = _Filed() if filed else None
        self.data = None if filed else data
        self.total = total
        self.envelope = load_envelope(envelope, float(arrival))
        self._text = envelope
        self._blocks = blocks
        self.durable: Deferred[str] = Deferred()

    def portion(self, most: int) -> list[Recipient]:
        """The first recipients."""
        found: list[Recipient] = []
        for block in self._blocks:
            found += load_recipients(block, len(found) + 1)
            if len(found) >= most:
                return found[:most]
        return found

    def job(self, number: int, state: State) -> Insert:
        """What the writer thread needs. ``number`` is the row."""
        return job(self, number, state, self._text, self._blocks)

    def discard(self) -> None:
        """Its writer removes what there is when it is told."""


class QueueService:
    """The queue manager's side: ``verbs``.

    :param store: the SqliteQueue.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self._spool: Spool = store.spool
        self._handed: set[str] = set()
        self._tidying = self._tidy_again = False
        self.verbs: dict[str, Verb] = {"queue": self._queue, "spooling": self._spooling}

    def _queue(self, call: Call) -> None:
        message = HandedMessage(*call.arguments, data=call.body)
        queue_id = message.queue_id
        if queue_id in self._handed:
            raise TemporaryError(f"queue id {queue_id} is in use")
        self._handed.add(queue_id)
        message.durable.addCallbacks(
            lambda _: self._settled(queue_id, call, None), lambda failure: self._settled(queue_id, call, failure.value)
        )
        if message.file is not None:
            asked = Deferred.fromCoroutine(self._expected(message))
            asked.addErrback(message.durable.errback)
        else:
            self._insert(message)

    def _insert(self, message: HandedMessage) -> None:
        try:
            self._store.insert(message)
        except MailError as error:  # it is being closed
            message.durable.errback(error)

    async def _expected(self, message: HandedMessage) -> None:
        try:
            spool, reactor = self._spool, self._spool.reactor
            await deferToThreadPool(reactor, spool.pool, spool.expect, message.queue_id, message.octets)
        except OSError as error:
            raise as_mail_error(error) from error
        self._insert(message)

    def _settled(self, queue_id: str, call: Call, error: BaseException | None) -> None:
        self._handed.discard(queue_id)
        self._spool.arrived(queue_id)
        if error is None:
            call.answer()
        else:
            call.fail(error)

    # -- contents whose writers have gone

    def _spooling(self, call: Call) -> None:
        if self._tidy not in call.caller.gone:
            call.caller.gone.append(self._tidy)
        if call.arguments[0]:
            self._tidy()

    def _tidy(self) -> None:
        """After all that has come; one run at a time."""
        self._tidy_again = True
        if not self._tidying:
            self._tidying = True
            Deferred.fromCoroutine(self._tidy_up())

    async def _tidy_up(self) -> None:
        try:
            while self._tidy_again:
                self._tidy_again = False
                with suppress(MailError):  # the store is closed: it tidies when it is opened
                    await self._store.tidy()
        finally:
            self._tidying = False
