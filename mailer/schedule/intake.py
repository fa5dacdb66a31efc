"""From the store into the active queue: which waiting messages are taken up, and when the store is asked for them.

New messages come by themselves while there is room. Others are claimed in batches: what waited for room, and deferred
mail that is due; both get half of a batch, so that neither blocks the other. The deferred queue is looked at when its
earliest message is due, but no more often than once in queue_run_delay, and at once when an administrator asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any

from twisted.logger import Logger

from mailer.message.status import MailError
from mailer.net.driver import Driver

__all__ = ["Intake"]

_faults = Logger()

_BATCH = 200
_TROUBLE_SECONDS = 10.0


class Intake:
    """:param active: the messages in the active queue. :param limit: qmgr_message_active_limit.
    :param run_delay: queue_run_delay, seconds.
    :param activate: takes an entry into the active queue; the second argument says whether an administrator asked for it.
    """

    def __init__(
        self,
        queue: Any,
        context: Any,
        active: Sized,
        limit: int,
        run_delay: float,
        activate: Callable[[Any, bool], None],
    ) -> None:
        self._queue = queue
        self._reactor = context.reactor
        self._seconds = context.seconds
        self._log = context.log
        self._active = active
        self._limit = limit
        self._run_delay = run_delay
        self._activate = activate
        self._turned_away = 0  # how often there was no room
        self._incoming = True  # whether there may be incoming messages to claim
        self._deferred = True  # whether a run of the deferred queue is under way
        self._scanning = False
        self._again = False
        self._stopped = True
        self._last_run = float("-inf")
        self._timer: Any = None
        self._wake_at = float("inf")
        self._flushing = False

    def room(self) -> bool:
        """Whether one more message may become active; who is turned away will be claimed later."""
        if len(self._active) < self._limit and not self._stopped:
            return True
        self._turned_away += 1
        self._incoming = True
        return False

    def open(self) -> None:
        """Take messages from now on; the scan begins with `due`."""
        self._stopped = False

    def renew(self, limit: int, run_delay: float) -> None:
        """Other limits from now on: what there is room for is taken up, and the next run comes when it should."""
        self._limit = limit
        self._run_delay = run_delay
        if not self._stopped:
            self._disarm()
            self.due(False)

    def stop(self) -> None:
        self._stopped = True
        self._disarm()

    def freed(self) -> None:
        """A message has left the active queue. A claim is worth its trouble when some room has come together."""
        if self._incoming or self._deferred:
            room = self._limit - len(self._active)
            if room >= _BATCH or room * 4 >= self._limit:
                self._scan()

    def due(self, flush: bool) -> None:
        """Messages may be due that were not before."""
        self._flushing = self._flushing or flush
        self._incoming = self._deferred = True
        self._scan()

    def deferred_until(self, when: float) -> None:
        """A message was deferred."""
        self._arm(when)

    # -- the scan

    def _scan(self) -> None:
        self._again = True
        if not self._scanning and not self._stopped:
            self._scanning = True
            Driver(self._claim_all(), self._scanned).resume()

    async def _claim_all(self) -> None:
        while self._again or self._incoming or self._deferred:
            self._again = False
            room = self._limit - len(self._active)
            if room <= 0 or self._stopped:
                return
            running = self._deferred
            await self._claim(min(room, _BATCH))
            if running and not self._deferred:
                await self._look_ahead()

    async def _claim(self, most: int) -> None:
        claimed = 0
        if self._incoming:
            claimed = await self._take(-(-most // 2) if self._deferred else most, deferred=False)
        if self._deferred and claimed < most:
            self._last_run = self._seconds()
            await self._take(most - claimed, deferred=True)

    async def _take(self, most: int, deferred: bool) -> int:
        turned_away, flushing = self._turned_away, self._flushing
        # A second early, as qmgr(8): a timer that goes off a moment too soon must not cost a whole queue_run_delay.
        now = self._seconds() + 1.0
        entries = await self._queue.claim(now, most, deferred=deferred, incoming=not deferred)
        if len(entries) < most:
            if not deferred:
                self._incoming = self._turned_away != turned_away
            elif not self._again:
                self._deferred = False
                self._flushing = self._flushing and not flushing
        for entry in entries:
            self._activate(entry, flushing)
        return len(entries)

    async def _look_ahead(self) -> None:
        when = await self._queue.next_attempt()
        if when is not None:
            self._arm(when)

    def _scanned(self, error: BaseException | None) -> None:
        self._scanning = False
        if error is None:
            return
        if isinstance(error, MailError):
            self._log.warning(f"cannot read the queue: {error.cause or error.reply.text}")
        else:
            _faults.error("the scan of the queue failed: {error!r}", error=error)
            self._log.warning(f"cannot read the queue: {error}")
        self._incoming = self._deferred = True
        if not self._stopped:
            self._reactor.callLater(_TROUBLE_SECONDS, self._scan)

    # -- the time of the next run

    def _arm(self, when: float) -> None:
        when = max(when, self._last_run + self._run_delay)
        if when < self._wake_at and not self._stopped:
            self._disarm()
            self._wake_at = when
            self._timer = self._reactor.callLater(max(0.0, when - self._seconds()), self._run)

    def _disarm(self) -> None:
        timer, self._timer = self._timer, None
        self._wake_at = float("inf")
        if timer is not None:
            timer.cancel()

    def _run(self) -> None:
        self._timer = None
        self._wake_at = float("inf")
        self._deferred = True
        self._scan()
