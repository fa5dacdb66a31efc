"""Whether there is room for another message: queue_minfree and message_size_limit against what the disk has free.

As Postfix's smtpd(8) does at MAIL FROM: refuse when less than queue_minfree, the announced size, or one and a half times
message_size_limit is free. What is free is asked for on a thread at most once a second; ``open`` looks at the last answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mailer.queue.failure import no_space

__all__ = ["Space"]

_FRESH_SECONDS = 1.0
_HEADROOM = 1.5


class Space:
    """:param measure: ``await measure()`` gives the octets free, or raises OSError."""

    def __init__(
        self,
        measure: Callable[[], Any],
        monotonic: Callable[[], float],
        log: Any,
        minfree: int,
        message_size_limit: int,
    ) -> None:
        self._measure = measure
        self._monotonic = monotonic
        self._log = log
        self._minfree = minfree
        self._most = _HEADROOM * message_size_limit
        self._limit = message_size_limit
        self._free: int | None = None
        self._measured = 0.0
        self._measuring = False

    async def refresh(self) -> None:
        """Ask the disk. One that cannot tell counts as roomy: writing will show."""
        self._measuring = True
        try:
            self._free = await self._measure()
        except OSError as error:
            self._free = None
            self._log.warning(f"cannot find out free space in mail queue: {error.strerror}")
        finally:
            self._measured = self._monotonic()
            self._measuring = False

    @property
    def stale(self) -> bool:
        return not self._measuring and self._monotonic() - self._measured >= _FRESH_SECONDS

    def check(self, size: int) -> None:
        """:param size: what the client announced, 0 for nothing. :raise MailError: 452 4.3.1"""
        free = self._free
        if free is None or (free > self._minfree and free > size and free > self._most):
            return
        if free <= self._minfree:
            cause = f"not enough free space in mail queue: {free} bytes < queue_minfree {self._minfree}"
        elif free <= self._most:
            cause = f"not enough free space in mail queue: {free} bytes < {_HEADROOM:g}*message size limit"
        else:
            cause = f"not enough free space in mail queue: {free} bytes < message size {size}"
        self._log.warning(cause)
        raise no_space(cause)
