"""Warnings about a destination that fills the active queue, so that other mail has to wait (postconf(5): qmgr_clog_warn_time,
helpful_warnings). The words are qmgr(8)'s, for whoever looks for them in logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Clog"]

#: A destination with more than this part of what the active queue may hold is worth a word.
_SHARE = 5
_MOST_REMEMBERED = 1000


class Clog:
    """:param interval: seconds between two warnings about a destination, 0 for none at all.
    :param limit: qmgr_message_active_limit. :param messages: how many there are in the active queue."""

    def __init__(self, log: Any, interval: float, limit: int, messages: Callable[[], int]) -> None:
        self._log = log
        self._interval = interval
        self._limit = limit
        self._messages = messages
        self._silent_until: dict[tuple[str, str], float] = {}
        #: The length of a destination's queue from which on `look` has something to say.
        self.long = limit // _SHARE if interval else 1 << 62

    def look(self, transport: Any, queue: Any, now: float) -> None:
        """Say what there is to say of a destination whose queue is longer than ``long``."""
        key = (transport.name, queue.name)
        if now < self._silent_until.get(key, 0.0):
            return
        if len(self._silent_until) >= _MOST_REMEMBERED:
            self._silent_until.clear()
        self._silent_until[key] = now + self._interval
        messages = max(self._messages(), 1)
        length = min(queue.waiting + queue.busy, messages)
        warning = self._log.warning
        warning(f"mail for {queue.nexthop} is using up {length} of {messages} active queue entries")
        if length / messages < 0.9:
            warning("this may slow down other mail deliveries")
        most = transport.limits.concurrency_limit
        if 0 < most <= queue.busy + 1:
            warning(f"you may need to increase the main.cf {transport.name}_destination_concurrency_limit from {most}")
        elif queue.window > self._limit * (length / messages) / 2:
            warning(f"you may need to increase the main.cf qmgr_message_active_limit from {self._limit}")
        else:
            warning(f"you may need to reduce {transport.name} connect and helo timeouts")
            warning("so that Postfix quickly skips unavailable hosts")
            warning("you may need to increase the main.cf minimal_backoff_time and maximal_backoff_time")
            warning("so that Postfix wastes less time on undeliverable mail")
            warning(f"you may need to increase the master.cf {transport.name} process limit")
        warning("please avoid flushing the whole queue when you have")
        warning("lots of deferred mail, that is bad for performance")
