"""One destination of one transport: how many deliveries may go there at the same time, and whether it is dead.

Postfix calls this a queue (of the transport); SCHEDULER_README, "Concurrency scheduling", is followed to the letter, with
what the installed qmgr(8) does where the pseudo code is silent: half a feedback is forgiven when sums are compared, and a
destination dies when the failed cohorts *reach* their limit. The state lives as long as mail for the destination is in
memory, or the destination is suspended; a destination without mail is forgotten and starts anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mailer.schedule.limits import Limits

if TYPE_CHECKING:
    from mailer.schedule.lane import Line

__all__ = ["DestinationQueue"]


class DestinationQueue:
    """``window`` is the concurrency allowed now (0: dead, ``reason`` says why: status, text), ``busy`` what is under way,
    ``waiting`` the recipients not yet handed out. ``paused``: a rate delay runs.

    :param name: the key among the transport's destinations. :param nexthop: what transports are told.
    """

    __slots__ = (
        "alarm",
        "busy",
        "fail_cohorts",
        "failure",
        "last_done",
        "lines",
        "name",
        "nexthop",
        "paused",
        "reason",
        "success",
        "transport",
        "waiting",
        "window",
    )

    def __init__(self, transport: object, name: str, nexthop: str, window: int) -> None:
        self.transport = transport
        self.name = name
        self.nexthop = nexthop
        self.window = window
        self.busy = 0
        self.waiting = 0
        self.paused = False
        self.success = 0.0
        self.failure = 0.0
        self.fail_cohorts = 0.0
        self.reason: tuple[str, str] | None = None
        self.last_done = 0.0
        self.alarm = 0
        self.lines: dict[int, Line] = {}

    @property
    def open(self) -> bool:
        """Whether one more delivery may start."""
        return self.busy < self.window and not self.paused

    @property
    def idle(self) -> bool:
        """Whether nothing would be lost by forgetting it."""
        return not (self.busy or self.waiting or self.paused or self.reason)

    def succeeded(self, limits: Limits) -> float | None:
        """A delivery (still counted in ``busy``) found the destination well. :return: the feedback that was applied."""
        self.fail_cohorts = 0.0
        if self.reason is not None:
            self.revive(self.busy or limits.initial_concurrency)
            return None
        # A window that is far wider than its use would take too long to shrink again when it must.
        if self.window >= self.busy + limits.initial_concurrency:
            return None
        feedback = limits.positive_feedback(self.window)
        self.success += feedback
        while self.success + feedback / 2 >= 1:
            self.window += 1
            self.success -= 1
            self.failure = 0.0
        if limits.concurrency_limit and self.window > limits.concurrency_limit:
            self.window = limits.concurrency_limit
        return feedback

    def failed(self, limits: Limits, reason: tuple[str, str]) -> float | None:
        """A delivery found nobody there; afterwards ``reason`` is set if that was once too often.

        :return: the feedback that was applied.
        """
        if not self.window:
            return None
        self.fail_cohorts += 1.0 / self.window
        if limits.failed_cohort_limit and self.fail_cohorts >= limits.failed_cohort_limit:
            self.window = 0
            self.reason = reason
            return None
        feedback = limits.negative_feedback(self.window)
        self.failure -= feedback
        while self.failure - feedback / 2 < 0:
            self.window -= 1
            self.failure += 1
            self.success = 0.0
        self.window = max(self.window, 1)
        return feedback

    def revive(self, window: int) -> None:
        """Out of the grave, with nothing remembered."""
        self.reason = None
        self.window = window
        self.success = self.failure = self.fail_cohorts = 0.0
        self.alarm = 0

    def describe(self, limits: Limits, say: Callable[[str], None], event: str, feedback: float | None) -> None:
        """destination_concurrency_feedback_debug."""
        if feedback is not None:
            say(f"qmgr_queue_{event}: feedback {feedback:g}")
        say(
            f"qmgr_queue_{event}: queue {self.name}: limit {limits.concurrency_limit} window {self.window} success"
            f" {self.success:g} failure {self.failure:g} fail_cohorts {self.fail_cohorts:g}"
        )
