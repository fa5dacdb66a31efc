"""Messages that an administrator requeued (postsuper -r): through the cleaning chain again, as new messages.

Postfix moves such a message to the maildrop queue, from where pickup(8) feeds it to cleanup(8). Here it waits in state
``maildrop`` in the store and is written to the chain's first sink: rewriting and virtual aliases apply again, milters do not,
recipients that are done stay done. The old message is removed only when the new one is durable, so a crash in between
delivers twice, never not at all. Its time in the queue begins anew. Without a chain the message starts anew as it is, under
its old queue id.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Container
from typing import Any

from mailer.interfaces.queue import IQueueEntry
from mailer.message.envelope import Envelope
from mailer.message.status import MailError
from mailer.queue.batch import remove_messages
from mailer.queue.schema import Flag, Progress, State

__all__ = ["Requeuing"]

_PORTION = 500


class Requeuing:
    """:param queue: the SqliteQueue.
    :param spared: row numbers that the consumer has not let go of yet.

    Set later: ``sink`` (an IMessageSink, or None) and ``header``, which gives the Received line of a new message with its
    line end, from its queue id.
    """

    def __init__(
        self, queue: Any, database: Any, log: Any, seconds: Callable[[], float], spared: Container[int]
    ) -> None:
        self._queue = queue
        self._database = database
        self._log = log
        self._seconds = seconds
        self._spared = spared
        self._busy = False
        self.sink: Any = None
        self.header: Callable[[str], bytes] = lambda queue_id: b""

    async def run(self) -> None:
        """Send on what waits. Whatever cannot be sent now waits for the next run."""
        if self._busy:
            return
        self._busy = True
        try:
            waiting = await self._database.call(_waiting)
            ready = [(number, queue_id) for number, queue_id in waiting if number not in self._spared]
            if ready and self.sink is None:
                await self._database.call(lambda c: _start_anew(c, [n for n, _ in ready], self._seconds()))
                self._queue.wake()
                return
            for number, queue_id in ready:
                await self._resubmit(number, queue_id)
        finally:
            self._busy = False

    async def _resubmit(self, number: int, queue_id: str) -> None:
        try:
            entry = await self._queue.load(queue_id)
            if entry is None:
                return
            await self._copy(entry)
            filed = await self._database.call(lambda c: _forget(c, number))
        except MailError as error:
            self._log.warning(f"{queue_id}: cannot requeue now: {error}")
            return
        if filed:
            self._queue.unlink([queue_id])

    async def _copy(self, entry: IQueueEntry) -> None:
        envelope: Envelope = entry.envelope
        envelope.arrival = self._seconds()
        envelope.hold = ""
        envelope.overrides |= {"no_milters"}
        writer = self.sink.open(envelope)
        self._log.info(f"{writer.queue_id}: uid={os.geteuid()} from=<{envelope.sender}> orig_id={entry.queue_id}")
        try:
            after = 0
            while portion := await self._queue.recipients(entry.queue_id, after, _PORTION):
                for recipient in portion:
                    writer.recipient(recipient)
                after = portion[-1].id
            writer.write(self.header(writer.queue_id))
            async for chunk in entry.content.chunks():
                writer.write(chunk)
        except BaseException:
            writer.abort()
            raise
        await writer.commit()


def _waiting(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    return connection.execute(
        f"SELECT id, queue_id FROM message WHERE state = {State.MAILDROP:d} ORDER BY id"
    ).fetchall()


def _start_anew(connection: sqlite3.Connection, numbers: list[int], now: float) -> None:
    for number in numbers:
        connection.execute(
            f"UPDATE message SET state = {State.INCOMING:d}, arrival = ?, attempts = 0, next_attempt = 0,"
            f" flags = flags & {int(Flag.FILE)} WHERE id = ?",
            (now, number),
        )
        connection.execute(f"DELETE FROM status WHERE message = ? AND progress > {Progress.DONE:d}", (number,))


def _forget(connection: sqlite3.Connection, number: int) -> bool:
    """:return: whether there was a content file."""
    row = connection.execute("SELECT flags FROM message WHERE id = ?", (number,)).fetchone()
    remove_messages(connection, [number])
    return row is not None and bool(row[0] & Flag.FILE)
