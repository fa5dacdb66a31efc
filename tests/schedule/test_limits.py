"""Limits as main.cf gives them."""

from mailer.config.settings import Settings
from mailer.schedule.limits import Limits, limits


def of(name, processes=100, warn=None, **texts):
    return limits(Settings({}).with_overrides(texts), name, processes, warn or (lambda text: None))


def comparable(found):
    values = dict(vars(found))
    values["positive_feedback"] = found.positive_feedback(4)
    values["negative_feedback"] = found.negative_feedback(4)
    return values


def test_postfixs_defaults():
    assert comparable(of("smtp")) == comparable(Limits())
    local = of("local")
    assert (local.concurrency_limit, local.recipient_limit, local.initial_concurrency) == (2, 1, 2)


def test_a_setting_for_one_transport_and_for_all():
    texts = {
        "default_destination_concurrency_limit": "10",
        "smtp_destination_concurrency_limit": "3",
        "default_destination_recipient_limit": "7",
        "slow_destination_rate_delay": "2s",
        "slow_transport_rate_delay": "1s",
        "smtp_destination_concurrency_positive_feedback": "1/concurrency",
        "minimal_backoff_time": "10m",
        "transport_retry_time": "5s",
    }
    assert of("smtp", **texts).concurrency_limit == 3
    assert of("other", **texts).concurrency_limit == 10
    assert of("other", **texts).recipient_limit == 7
    slow = of("slow", **texts)
    assert (slow.concurrency_limit, slow.initial_concurrency, slow.rate_delay) == (1, 1, 2.0)
    assert (slow.processes, slow.transport_rate_delay) == (1, 1.0)
    assert of("smtp", **texts).positive_feedback(4) == 0.25
    assert (slow.dead_time, slow.retry_time) == (600.0, 5.0)


def test_bad_feedback_is_complained_of_and_replaced():
    warnings = []
    texts = {
        "smtp_destination_concurrency_positive_feedback": "3/concurrency",
        "default_destination_concurrency_negative_feedback": "2",
    }
    found = of("smtp", warn=warnings.append, **texts)
    assert (found.positive_feedback(5), found.negative_feedback(5)) == (1, 1)
    assert warnings == [
        "smtp_destination_concurrency_positive_feedback: ignoring malformed or unreasonable feedback: 3/concurrency",
        "default_destination_concurrency_negative_feedback: ignoring malformed or unreasonable feedback: 2",
    ]
