"""Who writes a mailbox: a thread of this process when it is the mailbox' owner already, else a worker that becomes him.

Without root's rights nobody can become anybody else: such a delivery waits until the configuration is mended. Mail is never
written as root.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread, deferToThreadPool
from twisted.python.threadpool import ThreadPool

from mailer.deliver.mailbox.deposit import Deposit
from mailer.deliver.mailbox.identity import Identity
from mailer.deliver.mailbox.workers import Workers
from mailer.deliver.mailbox.writing import MailboxWriter
from mailer.message.status import TemporaryError

__all__ = ["Hands"]

#: Messages that this process writes at once; more of them share the disk's flushes.
_THREADS = 20


class Hands:
    """:param reactor: see Context. :param idle_seconds: how long worker processes are kept (max_idle).
    :param uid: this process's own."""

    def __init__(self, reactor: Any, log: Any, idle_seconds: float, uid: int | None = None) -> None:
        self._reactor = reactor
        self._log = log
        self._uid = os.geteuid() if uid is None else uid
        self._writer = MailboxWriter()
        self._pool = ThreadPool(0, _THREADS, "mailbox")
        self._started = False
        self._workers = Workers(reactor, self._pool, idle_seconds)

    async def deliver(self, identity: Identity, deposit: Deposit, content: Any) -> None:
        """Return when the message is durable.

        :param content: IContent.
        :raise WriteFailure: the mailbox could not be written. :raise MailError: it cannot be done now.
        """
        if identity.uid == 0 or (self._uid and identity.uid != self._uid):
            why = "is refused" if identity.uid == 0 else f"needs root's rights, this process has uid {self._uid}"
            self._log.warning(f"delivery to {deposit.path} as uid {identity.uid} {why}")
            raise TemporaryError(why, "4.3.5", "mail system configuration error")
        if not self._started:
            self._started = True
            self._pool.start()
        if self._uid == 0:
            await self._workers.deliver(identity, deposit, content)
        else:
            pieces = [content.inline] if content.inline is not None else self._pieces(content)
            await deferToThreadPool(self._reactor, self._pool, self._writer.deliver, deposit, pieces)

    def _pieces(self, content: Any) -> Iterator[bytes]:
        """The content for a thread that may wait, read by the reactor that may not."""
        chunks = content.chunks().__aiter__()

        async def following() -> bytes | None:
            return await anext(chunks, None)

        while piece := blockingCallFromThread(self._reactor, lambda: Deferred.fromCoroutine(following())):
            yield piece

    async def stop(self) -> None:
        """Give threads and processes back."""
        self._workers.stop()
        if self._started:
            self._started = False
            self._reactor.callInThread(self._pool.stop)
