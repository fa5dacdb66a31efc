"""A message that never got into the queue, in the shape of a queue entry, so that it can be reported like one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from mailer.interfaces.queue import IContent, IQueueEntry
from mailer.message.envelope import Envelope, Recipient

__all__ = ["RefusedEntry"]

_CHUNK = 1 << 16


@implementer(IContent)
class _FileTail:
    """Content in a file behind an envelope."""

    inline = None
    filed = False

    def __init__(self, reactor: Any, path: str, start: int) -> None:
        self._reactor = reactor
        self._path = path
        self._start = start
        self.size = os.stat(path).st_size - start

    async def chunks(self, start: int = 0) -> AsyncIterator[bytes]:
        pool = self._reactor.getThreadPool()
        file = await deferToThreadPool(self._reactor, pool, open, self._path, "rb")
        try:
            await deferToThreadPool(self._reactor, pool, file.seek, self._start + start)
            while chunk := await deferToThreadPool(self._reactor, pool, file.read, _CHUNK):
                yield chunk
        finally:
            file.close()


@implementer(IQueueEntry)
class RefusedEntry:
    """See IQueueEntry; ``path`` holds the content from octet ``start`` on."""

    attempts = 0
    warned = False
    bounced = 0
    expired = False

    def __init__(
        self, context: Any, envelope: Envelope, queue_id: str, recipients: list[Recipient], path: str, start: int
    ) -> None:
        self.queue_id = queue_id
        self.envelope = envelope
        self.recipients = recipients
        self.pending = len(recipients)
        self.arrival = envelope.arrival
        self.content = _FileTail(context.reactor, path, start)
        self.size = self.content.size
