"""Who does the work: a thread of this process when it is the user in question, else a worker that becomes him.

Without root's rights nobody can become anybody else: such a delivery waits until the configuration is mended. As root
nothing happens but that root's own mailbox is written and his forwarding file read; no command ever runs as root.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.threads import blockingCallFromThread, deferToThreadPool
from twisted.python.threadpool import ThreadPool

from mailer.deliver.command.command import Command, Result
from mailer.deliver.hands.identity import Identity
from mailer.deliver.hands.tasks import Tasks
from mailer.deliver.hands.workers import Workers
from mailer.deliver.mailbox.deposit import Deposit, WriteFailure
from mailer.message.status import TemporaryError

__all__ = ["FileText", "Hands", "hands_of"]

#: What this process does at once; more deliveries share the disk's flushes.
_THREADS = 20
_MOST_TEXT = 4 << 20


@dataclass(frozen=True, slots=True)
class FileText:
    """A file as its user may read it. ``errno`` is 0, or why it cannot be read; ``uid`` and ``mode`` are the file's.
    ``length`` is its size; ``text`` is empty when that is more than may be read, or when it is no regular file."""

    errno: int = 0
    uid: int = 0
    mode: int = 0
    length: int = 0
    text: bytes = b""


class Hands:
    """:param reactor: see Context. :param idle_seconds: how long worker processes are kept (max_idle).
    :param uid: this process's own. :param watchdog: how long one request may take (daemon_timeout).
    :param start: starts worker processes for one that is not root itself, see `Workers`."""

    def __init__(
        self,
        reactor: Any,
        log: Any,
        idle_seconds: float,
        uid: int | None = None,
        watchdog: float = 18000.0,
        start: Any = None,
    ) -> None:
        self._reactor = reactor
        self._log = log
        self._uid = os.geteuid() if uid is None else uid
        self._watchdog = watchdog
        self._tasks = Tasks()
        self._pool = ThreadPool(0, _THREADS, "deliver")
        self._started = False
        self._at_end: Any = None
        self._workers = Workers(reactor, self._pool, idle_seconds, watchdog, log, start)
        self._becomes = start is not None or self._uid == 0
        #: Whether workers can be confined to another root directory: whoever starts them for us does not do that.
        self._confines = start is None and self._uid == 0

    async def deliver(self, identity: Identity, deposit: Deposit, content: Any) -> None:
        """Return when the message is durable in its mailbox.

        :param content: IContent.
        :raise WriteFailure: the mailbox could not be written. :raise MailError: it cannot be done now.
        """
        answer, _ = await self._ask(identity, {"task": "deposit", "deposit": deposit.as_data()}, content)
        if "status" in answer:
            raise WriteFailure(answer["status"], answer["reason"], answer["denied"], answer["advice"])

    async def run(self, identity: Identity, command: Command, content: Any) -> Result:
        """Give the message to a command. :raise MailError: it cannot be done now."""
        answer, _ = await self._ask(identity, {"task": "command", "command": command.as_data()}, content)
        answer.pop("size", None)
        return Result(**answer)

    async def read(self, identity: Identity, path: str) -> FileText:
        """A user's file, at most 4 MB of it. :raise MailError: it cannot be done now."""
        answer, text = await self._ask(identity, {"task": "read", "path": path, "limit": _MOST_TEXT})
        answer.pop("size", None)
        return FileText(text=text, **answer)

    async def make(self, path: str, owner: Identity) -> None:
        """An empty mailbox for its user, where only root may make one. :raise MailError: it cannot be done now."""
        await self._ask(Identity(0, 0), {"task": "make", "path": path, "uid": owner.uid, "gid": owner.gid})

    @property
    def becomes(self) -> bool:
        """Whether things can be done in other users' rights than this process' own."""
        return self._becomes

    async def _ask(
        self, identity: Identity, request: dict[str, Any], content: Any = None
    ) -> tuple[dict[str, Any], bytes]:
        why = self._forbidden(identity, request["task"])
        if why:
            self._log.warning(f"delivery as uid {identity.uid} {why}")
            raise TemporaryError(why, "4.3.5", "mail system configuration error")
        if not self._started:
            self._started = True
            self._pool.start()
            # Whatever else happens: a process whose threads go on cannot end.
            self._at_end = self._reactor.addSystemEventTrigger("after", "shutdown", self._pool.stop)
        if self._becomes:
            return await self._workers.ask(identity, request, content)
        done = deferToThreadPool(self._reactor, self._pool, self._tasks.perform, request, self._pieces(content))
        try:
            return await done.addTimeout(self._watchdog, self._reactor)
        except TimeoutError:
            # A thread cannot be killed; the others go on without it.
            self._log.warning(f"delivery as uid {identity.uid}: watchdog timeout")
            raise TemporaryError("watchdog timeout") from None

    def _forbidden(self, identity: Identity, task: str) -> str:
        if identity.uid == 0 and task == "command":
            return "is refused"
        if identity.root and not self._confines:
            return f"in {identity.root} needs mailer_layout = single and root's rights"
        if not self._becomes and identity.uid != self._uid:
            return f"needs root's rights, this process has uid {self._uid}"
        return ""

    def _pieces(self, content: Any) -> Any:
        if content is None:
            return ()
        return [content.inline] if content.inline is not None else self._read(content)

    def _read(self, content: Any) -> Iterator[bytes]:
        """The content for a thread that may wait, read by the reactor that may not."""
        chunks = content.chunks().__aiter__()

        async def following() -> bytes | None:
            return await anext(chunks, None)

        def ask() -> Deferred[Any]:
            return Deferred.fromCoroutine(following())

        while True:
            piece: Any = blockingCallFromThread(self._reactor, ask)
            if not piece:
                return
            yield piece

    async def stop(self) -> None:
        """Give threads and processes back."""
        self._workers.stop()
        if self._started:
            self._started = False
            self._reactor.removeSystemEventTrigger(self._at_end)
            self._reactor.callInThread(self._pool.stop)


def hands_of(context: Any) -> Hands:
    """Those of a service of master.cf."""
    settings = context.settings
    return Hands(
        context.reactor,
        context.log,
        settings.max_idle,
        watchdog=settings.daemon_timeout,
        start=context.start_worker,
    )
