"""Recipients on their way into the algorithm: read from the store if there are many, resolved, assigned.

Resolving costs nothing while tables are in memory; when they are not, only so many messages wait for them at a time, the
others wait their turn. A message's recipients are assigned together, so that those for one destination share deliveries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailer.message.envelope import Recipient
from mailer.message.status import MailError
from mailer.net.driver import Driver
from mailer.schedule.active import ActiveMessage
from mailer.schedule.scheduler import RETRY, Place

__all__ = ["Admission"]

_faults = Logger()

#: Messages whose recipients are being resolved at the same time.
_AT_ONCE = 50

#: Recipients resolved without a break.
_STRETCH = 200

_TROUBLE_SECONDS = 10.0

_EXPIRED = "4.7.0 message is administratively expired"
_FAILED = "4.3.0 address resolver failure"


class Admission:
    """:param admitted: is given a message and its recipients by place; called once for each ``admit`` and ``more``."""

    def __init__(
        self,
        queue: Any,
        context: Any,
        admitted: Callable[[ActiveMessage, dict[Place, list[Recipient]]], None],
    ) -> None:
        self._queue = queue
        self.place: Callable[..., Any]  # Routing.place, set by the owner
        self._reactor = context.reactor
        self._seconds = context.seconds
        self._log = context.log
        self._admitted = admitted
        self._running = 0
        self._waiting: deque[Callable[[], Any]] = deque()

    def admit(self, message: ActiveMessage, recipients: list[Recipient]) -> None:
        """The first recipients of a message that has become active."""
        self._begin(message, partial(self._resolve, message, recipients))

    def more(self, message: ActiveMessage, wanted: int) -> None:
        """Read and admit so many further recipients."""
        message.reading = True
        self._begin(message, partial(self._read, message, wanted))

    def _begin(self, message: ActiveMessage, work: Callable[[], Any]) -> None:
        start = partial(self._start, message, work)
        if self._running >= _AT_ONCE:
            self._waiting.append(start)
        else:
            start()

    def _start(self, message: ActiveMessage, work: Callable[[], Any]) -> None:
        self._running += 1
        Driver(work(), partial(self._ended, message, work)).resume()

    def _ended(self, message: ActiveMessage, work: Callable[[], Any], error: BaseException | None) -> None:
        self._running -= 1
        if error is not None:
            if not isinstance(error, MailError):
                _faults.error("admitting {queue_id} failed: {error!r}", queue_id=message.entry.queue_id, error=error)
            self._log.warning(f"{message.entry.queue_id}: cannot read recipients: {error}")
            self._reactor.callLater(_TROUBLE_SECONDS, self._begin, message, work)
        if self._waiting and self._running < _AT_ONCE:
            self._waiting.popleft()()

    async def _read(self, message: ActiveMessage, wanted: int) -> None:
        recipients = await self._queue.recipients(message.entry.queue_id, message.cursor, wanted)
        message.last_read = self._seconds()
        if len(recipients) < wanted:
            message.unread = 0
        else:
            message.unread = max(message.unread - wanted, 0)
        if recipients:
            message.cursor = recipients[-1].id
        await self._resolve(message, recipients)

    async def _resolve(self, message: ActiveMessage, recipients: list[Recipient]) -> None:
        groups: dict[Place, list[Recipient]] = {}
        if message.entry.expired:
            await self._leave_untried(message, recipients, groups)
        else:
            envelope, flushing = message.entry.envelope, message.flushing
            for number, recipient in enumerate(recipients, 1):
                place, presented = await self._placed(envelope, recipient, flushing)
                group = groups.get(place)
                if group is None:
                    groups[place] = [presented]
                else:
                    group.append(presented)
                if not number % _STRETCH:
                    await self._break()
        self._admitted(message, groups)

    async def _placed(self, envelope: Any, recipient: Recipient, flushing: bool) -> tuple[Place, Recipient]:
        try:
            return await self.place(envelope, recipient, flushing)
        except Exception as error:
            # A fault in a table must not keep a message in memory for ever: its recipient waits, and is tried again.
            _faults.failure("resolving {recipient} failed", recipient=recipient)
            self._log.warning(f"address resolver failure: {error}")
            return (RETRY, _FAILED, _FAILED), recipient

    async def _leave_untried(
        self, message: ActiveMessage, recipients: list[Recipient], groups: dict[Place, list[Recipient]]
    ) -> None:
        """A message that an administrator has declared expired is not tried again; whoever never was gets a reason."""
        known = {recipient.id for recipient, _ in await self._queue.failures(message.entry.queue_id)}
        untried = [recipient for recipient in recipients if recipient.id not in known]
        if untried:
            groups[RETRY, _EXPIRED, _EXPIRED] = untried

    async def _break(self) -> None:
        pause: Deferred[None] = Deferred()
        self._reactor.callLater(0, pause.callback, None)
        await pause
