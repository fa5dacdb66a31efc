"""The end of a message's pass: report what failed, then forget the message, or put it back until its next attempt.

qmgr(8)'s order: a bounce for recipients that failed for good, success notices, and then, if recipients wait: expired mail
is returned, else the sender may be warned, and the message is deferred. Every report is durable before the store forgets
what it was about; if it cannot be made now, nothing is forgotten and the caller comes again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mailer.message.envelope import Recipient
from mailer.message.status import Fate, Outcome
from mailer.schedule.active import ActiveMessage
from mailer.schedule.retry import Patience

__all__ = ["Completion"]


class Completion:
    """:param shown: an address as logs show it."""

    def __init__(
        self,
        queue: Any,
        reporter: Any,
        patience: Patience,
        log: Any,
        seconds: Callable[[], float],
        shown: Callable[[str], str],
    ) -> None:
        self._queue = queue
        self._reporter = reporter
        self._patience = patience
        self._log = log
        self._seconds = seconds
        self._shown = shown

    async def settle(self, message: ActiveMessage) -> float | None:
        """:return: the time of the next attempt, None if the message has gone or an administrator has it.
        :raise MailError: a report cannot be made now; come again."""
        await self._report(message)
        entry = message.entry
        if message.withdrawn:
            self._let_go(message)
            return None
        if not (message.deferred or entry.expired):
            self.remove(entry.queue_id)
            return None
        now = self._seconds()
        if entry.expired or self._patience.expired(now, entry.arrival, entry.envelope.sender):
            await self._give_up(message)
            return None
        return await self._wait(message, now)

    def remove(self, queue_id: str) -> None:
        self._log.info(f"{queue_id}: removed")
        self._queue.remove(queue_id)

    async def _report(self, message: ActiveMessage) -> None:
        entry = message.entry
        if message.bounced or message.owed:
            await self._reporter.bounce(entry, await self._failures(message, Fate.BOUNCED))
            message.bounced = message.owed = 0
        if message.notices is not None:
            await self._reporter.succeeded(entry, message.notices)
            message.notices = None

    def _let_go(self, message: ActiveMessage) -> None:
        """Give an entry back: due now if there are recipients that were not tried."""
        entry, now = message.entry, self._seconds()
        if message.kept:
            self._queue.defer(entry.queue_id, now)
        elif message.deferred:
            self._queue.defer(entry.queue_id, self._patience.next_attempt(now, entry.arrival))
        else:
            self.remove(entry.queue_id)

    async def _give_up(self, message: ActiveMessage) -> None:
        entry = message.entry
        status = "force-expired" if entry.expired else "expired"
        self._log.info(
            f"{entry.queue_id}: from=<{self._shown(entry.envelope.sender)}>, status={status}, returned to sender"
        )
        await self._reporter.bounce(entry, await self._failures(message, Fate.DEFERRED))
        self.remove(entry.queue_id)

    async def _wait(self, message: ActiveMessage, now: float) -> float:
        entry = message.entry
        warned = None
        if not entry.warned and self._patience.warning_due(now, entry.arrival):
            await self._reporter.delayed(entry, await self._failures(message, Fate.DEFERRED))
            warned = True
        again = self._patience.next_attempt(now, entry.arrival)
        self._queue.defer(entry.queue_id, again, warned)
        return again

    async def _failures(self, message: ActiveMessage, fate: Fate) -> list[tuple[Recipient, Outcome]]:
        """This pass's failures from memory; those of earlier passes, and very many, from the store."""
        entry, failed = message.entry, message.failed
        if failed is None or message.owed or entry.expired:
            failed = await self._queue.failures(entry.queue_id)
        return [result for result in failed if result[1].fate is fate]
