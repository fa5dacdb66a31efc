"""How many recipients of a message are held in memory, and when the next of them are read.

SCHEDULER_README, "Dealing with memory resource limits", in a simpler shape that keeps its bounds: the first batch comes
from the common pool (qmgr_message_recipient_limit, at least qmgr_message_recipient_minimum for every message), later ones
from the pools of the message's transports (``*_recipient_limit``), of which a message may take half of what is free, so
that each further giant still finds half of the rest. A message is topped up when half of its allowance is used, or when
``*_recipient_refill_limit`` recipients fit in and ``*_recipient_refill_delay`` has passed.
"""

from __future__ import annotations

from mailer.schedule.job import Message
from mailer.schedule.scheduler import Scheduler
from mailer.schedule.transport import Transport

__all__ = ["Refill"]


class Refill:
    """Looks at the scheduler's counts; keeps none of its own.

    :param limit: qmgr_message_recipient_limit. :param minimum: qmgr_message_recipient_minimum.
    """

    def __init__(self, scheduler: Scheduler, limit: int, minimum: int) -> None:
        self._scheduler = scheduler
        self._limit = limit
        self._minimum = max(minimum, 1)

    def first(self, recipients: int) -> int:
        """How many of so many recipients may be in memory to begin with."""
        return min(recipients, max(self._minimum, self._limit - self._scheduler.in_core))

    def more(self, message: Message, now: float, last: float) -> int:
        """How many recipients to read now, 0 for none.

        :param last: when some were read the last time.
        """
        held, unread = message.outstanding, message.unread
        if not unread:
            return 0
        transports = [job.transport for job in message.jobs.values()]
        free = sum(_free(transport, message) for transport in transports) if transports else self._global()
        room = max(self._minimum, (held + free) // 2 - held)
        if held and not self._worth_it(transports, held, room, now - last):
            return 0
        return min(room, unread)

    def _global(self) -> int:
        return max(0, self._limit - self._scheduler.in_core)

    @staticmethod
    def _worth_it(transports: list[Transport], held: int, room: int, waited: float) -> bool:
        if room >= held and room > 1:
            return True
        return any(room >= t.limits.refill_limit and waited >= t.limits.refill_delay for t in transports)


def _free(transport: Transport, message: Message) -> int:
    """What is left of a transport's pool; a message that preempts another may draw on the extra pool."""
    job = message.jobs[transport.name]
    pool = transport.limits.pool + (transport.limits.extra_pool if job.preempted is not None else 0)
    return max(0, pool - transport.in_core)
