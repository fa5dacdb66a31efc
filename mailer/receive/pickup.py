"""pickup(8): takes messages from the maildrop and writes them to the sink.

Crash rule: the sink commits, then the file is removed; a crash between the two repeats the message, none is lost. A message
that cannot be taken now stays; one that never will be is returned to its sender; what is no message goes to ``corrupt``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO

from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThreadPool

from mailer.interfaces.context import Context
from mailer.message.date import mail_date
from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import MailError
from mailer.net.gate import Gate
from mailer.receive.content import MessageTop
from mailer.receive.maildrop import MalformedDrop, Submission, names, take
from mailer.receive.origin import overrides

__all__ = ["Pickup", "Returns", "received_locally"]

_CHUNK = 1 << 16
_SCAN_LIMIT = 1000
_AT_ONCE = 50

#: Return a refused message: envelope, queue id, recipients, path of the file, offset of its content, the refusal.
Returns = Callable[[Envelope, str, list[Recipient], str, int, MailError], Awaitable[None]]


class Pickup:
    """The service: ``scan()`` now and then, or when somebody pokes.

    :param directory: the maildrop.
    :param returns: what to do with a message that the sink refuses for good.
    """

    def __init__(self, context: Context, directory: str, corrupt: str, returns: Returns) -> None:
        self._directory = directory
        self._corrupt = corrupt
        self.renew(context, returns)
        self._scanning = False
        self._again = False
        self._taken: set[str] = set()  # committed, but their file could not be removed: never to be submitted again

    def renew(self, context: Context, returns: Returns) -> None:
        """Go on with another configuration; messages begun keep theirs."""
        self._context = context
        self._returns = returns
        self._host = context.settings.myhostname
        self._mail_name = context.settings.mail_name
        self._filter: str = context.settings.content_filter
        self._overrides = overrides(context.settings)

    def poke(self) -> None:
        """Something may have arrived."""
        if self._scanning:
            self._again = True
            return
        self._scanning = True
        Deferred.fromCoroutine(self._scan()).addErrback(self._failed)

    def _failed(self, failure: Any) -> None:
        self._scanning = False
        self._context.log.warning(f"maildrop: {failure.getErrorMessage()}")

    async def _scan(self) -> None:
        while True:
            self._again = False
            found = await self._thread(names, self._directory, _SCAN_LIMIT)
            left = 0
            for start in range(0, len(found), _AT_ONCE):
                batch = found[start : start + _AT_ONCE]
                results = await DeferredList([Deferred.fromCoroutine(self._take(name)) for name in batch])
                left += sum(1 for _, done in results if not done)
            # A full scan that moved something may have more behind it.
            if not self._again and (len(found) < _SCAN_LIMIT or left == len(found)):
                break
        self._scanning = False

    def _thread(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        reactor = self._context.reactor
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    async def _take(self, name: str) -> bool:
        """:return: whether the file is dealt with."""
        if name in self._taken:
            return await self._finish(name)
        try:
            submission, file = await self._thread(take, self._directory, name)
        except FileNotFoundError:
            return True
        except MalformedDrop as error:
            return await self._set_aside(name, str(error))
        try:
            return await self._submit(name, submission, file)
        except defer.CancelledError:
            raise
        except Exception as error:
            self._context.log.warning(f"maildrop/{name}: {error}")
            return False
        finally:
            file.close()

    async def _submit(self, name: str, submission: Submission, file: BinaryIO) -> bool:
        now = self._context.seconds()
        envelope = submission.envelope(now)
        envelope.filter, envelope.overrides = self._filter, self._overrides
        gate = Gate()
        start = file.tell()
        try:
            writer = self._context.sink.open(envelope, gate)
        except MailError as error:
            return self._later(name, error)
        try:
            self._context.log.info(f"{writer.queue_id}: uid={submission.uid} from=<{submission.sender}>")
            for recipient in submission.recipients:
                writer.recipient(recipient)
            writer.write(received_locally(self._host, self._mail_name, submission.uid, writer.queue_id, now))
            top = MessageTop()
            while chunk := await self._thread(file.read, _CHUNK):
                writer.write(top.feed(chunk) if not top.settled else chunk)
                await gate.opened()
            if not top.settled:
                writer.write(top.feed(b"", last=True))
            await writer.commit()
        except MailError as error:
            writer.abort()
            if not error.reply.permanent:
                return self._later(name, error)
            path = os.path.join(self._directory, name)
            await self._returns(envelope, writer.queue_id, submission.recipients, path, start, error)
        except BaseException:
            writer.abort()
            raise
        return await self._finish(name)

    async def _finish(self, name: str) -> bool:
        try:
            await self._thread(os.unlink, os.path.join(self._directory, name))
        except OSError as error:
            self._taken.add(name)
            self._context.log.warning(f"maildrop/{name}: submitted, but cannot be removed: {error.strerror}")
            return False
        self._taken.discard(name)
        return True

    def _later(self, name: str, error: MailError) -> bool:
        self._context.log.warning(f"maildrop/{name}: {error}: will try again")
        return False

    async def _set_aside(self, name: str, why: str) -> bool:
        self._context.log.warning(f"maildrop/{name}: {why}; moved to {self._corrupt}")
        source, target = os.path.join(self._directory, name), os.path.join(self._corrupt, name)
        await self._thread(os.rename, source, target)
        return True


def received_locally(host: str, mail_name: str, uid: int, queue_id: str, now: float) -> bytes:
    """The Received header of a message that came over no network."""
    return (
        f"Received: by {host} ({mail_name}, from userid {uid})\r\n\tid {queue_id}; {mail_date(time.localtime(now))}\r\n"
    ).encode("utf-8", "surrogateescape")
