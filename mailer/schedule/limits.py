"""What main.cf and master.cf allow one transport: numbers only, worked out once.

Names are postconf(5)'s without ``<transport>_``; 0 means "no limit" wherever postconf(5) says so. Two rules of the manual
are applied here: a rate delay for a destination means one delivery to it at a time, one for the transport means one
delivery over it at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mailer.schedule.feedback import Feedback, constant, parse

__all__ = ["Limits", "limits"]


@dataclass(frozen=True)
class Limits:
    """``processes`` is master.cf's maxproc: deliveries at the same time over this transport. Times are in seconds;
    ``dead_time`` is how long an unreachable destination is left alone (minimal_backoff_time)."""

    processes: int = 100
    concurrency_limit: int = 20
    initial_concurrency: int = 5
    failed_cohort_limit: float = 1
    positive_feedback: Feedback = field(default=constant(1))
    negative_feedback: Feedback = field(default=constant(1))
    recipient_limit: int = 50
    rate_delay: float = 0.0
    transport_rate_delay: float = 0.0
    dead_time: float = 300.0
    retry_time: float = 60.0
    slot_cost: int = 5
    slot_loan: int = 3
    slot_discount: int = 50
    minimum_slots: int = 3
    pool: int = 20000
    extra_pool: int = 1000
    refill_limit: int = 100
    refill_delay: float = 5.0

    def __post_init__(self) -> None:
        initial, most = max(self.initial_concurrency, 1), self.concurrency_limit
        if self.rate_delay > 0:
            initial = most = 1
        if most and initial > most:
            initial = most
        object.__setattr__(self, "initial_concurrency", initial)
        object.__setattr__(self, "concurrency_limit", most)
        if self.transport_rate_delay > 0:
            object.__setattr__(self, "processes", 1)


def limits(settings: Any, name: str, processes: int, warn: Callable[[str], None] = lambda text: None) -> Limits:
    """The limits of the transport called ``name``.

    :param settings: mailer.config.settings.Settings.
    :param processes: the service's maxproc (master.cf, default_process_limit); 0: no limit.
    :param warn: told of a feedback value that is no good; 1 is then used in its place.
    """
    return Limits(
        processes=processes,
        concurrency_limit=settings.transport(name, "destination_concurrency_limit"),
        initial_concurrency=settings.transport(name, "initial_destination_concurrency"),
        failed_cohort_limit=float(settings.transport(name, "destination_concurrency_failed_cohort_limit")),
        positive_feedback=_feedback(settings, name, "positive", warn),
        negative_feedback=_feedback(settings, name, "negative", warn),
        recipient_limit=settings.transport(name, "destination_recipient_limit"),
        rate_delay=float(settings.transport(name, "destination_rate_delay")),
        transport_rate_delay=float(settings.transport(name, "transport_rate_delay")),
        dead_time=float(settings.minimal_backoff_time),
        retry_time=float(settings.transport_retry_time),
        slot_cost=settings.transport(name, "delivery_slot_cost"),
        slot_loan=settings.transport(name, "delivery_slot_loan"),
        slot_discount=settings.transport(name, "delivery_slot_discount"),
        minimum_slots=settings.transport(name, "minimum_delivery_slots"),
        pool=settings.transport(name, "recipient_limit"),
        extra_pool=settings.transport(name, "extra_recipient_limit"),
        refill_limit=settings.transport(name, "recipient_refill_limit"),
        refill_delay=float(settings.transport(name, "recipient_refill_delay")),
    )


def _feedback(settings: Any, name: str, sign: str, warn: Callable[[str], None]) -> Feedback:
    if sign == "positive":
        text = settings.transport(name, "destination_concurrency_positive_feedback")
    else:
        text = settings.transport(name, "destination_concurrency_negative_feedback")
    try:
        return parse(str(text))
    except ValueError:
        own = f"{name}_destination_concurrency_{sign}_feedback"
        shown = own if settings.is_set(own) else f"default_destination_concurrency_{sign}_feedback"
        warn(f"{shown}: ignoring malformed or unreasonable feedback: {text}")
        return constant(1)
