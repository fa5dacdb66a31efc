"""The delivery line, with delays as Postfix rounds them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.delay import shown_delay
from mailer.message.envelope import Recipient
from mailer.message.status import Fate, Outcome
from mailer.schedule.logline import DeliveryLine


@pytest.mark.parametrize(
    ("seconds", "digits", "shown"),
    [
        (0, 2, "0"),
        (-5, 2, "0"),
        (0.004, 2, "0"),
        (0.005, 2, "0.01"),
        (0.0151, 2, "0.02"),
        (0.1, 2, "0.1"),
        (0.126, 2, "0.13"),
        (0.996, 2, "1"),
        (1.0, 2, "1"),
        (1.25, 2, "1.3"),
        (3.16, 2, "3.2"),
        (9.96, 2, "10"),
        (11.6, 2, "12"),
        (117.4, 2, "117"),
        (432000.7, 2, "432001"),
        (0.000123, 6, "0.00012"),
        (0.0000004, 6, "0"),
        (0.0000006, 6, "0.000001"),
        (0.0996, 6, "0.1"),
        (0.4, 0, "0"),
        (0.5, 0, "1"),
        (1.5, 0, "2"),
        (0.16, 1, "0.2"),
        (5.55, 1, "5.6"),
    ],
)
def test_delays(seconds, digits, shown):
    assert shown_delay(seconds, digits) == shown


@given(st.integers(0, 200_000_000), st.integers(0, 6))
def test_a_delay_is_off_by_no_more_than_its_precision(micro, digits):
    shown = shown_delay(micro / 1e6, digits)
    assert len(shown.replace("0.", "").replace(".", "").lstrip("0")) <= 2 or micro >= 99_500_000
    assert len(shown.partition(".")[2]) <= digits
    exact = Fraction(micro, 1_000_000)
    unit = Fraction(1, 10**digits)
    assert abs(Fraction(shown) - exact) <= max(unit / 2, exact / 20)


def line(outcome, recipient=None, digits=2, external=True):
    recipient = recipient or Recipient("b@y.test", "b@y.test")
    return DeliveryLine(digits, external)("D71D720E312", recipient, outcome, 100.0, 100.01, 100.03, 100.7)


def test_sent():
    outcome = Outcome.sent("250 2.0.0 Ok: queued", relay="mx.y.test[192.0.2.1]:25", connected=100.15)
    assert line(outcome) == (
        "D71D720E312: to=<b@y.test>, relay=mx.y.test[192.0.2.1]:25, delay=0.7, delays=0.01/0.02/0.12/0.55, dsn=2.0.0,"
        " status=sent (250 2.0.0 Ok: queued)"
    )


def test_reused_connection_and_original_recipient():
    outcome = Outcome.sent("ok", relay="x", connected=100.03, conn_use=3)
    assert line(outcome, Recipient("user@example.com", "user%example.com@mx.test")) == (
        "D71D720E312: to=<user@example.com>, orig_to=<user%example.com@mx.test>, relay=x, conn_use=3, delay=0.7,"
        " delays=0.01/0.02/0/0.67, dsn=2.0.0, status=sent (ok)"
    )


def test_an_original_recipient_that_differs_in_case_only_is_not_shown():
    assert "orig_to" not in line(Outcome.sent("ok"), Recipient("user@example.com", "User@Example.com"))


def test_never_connected():
    outcome = Outcome.deferred("connect to y.test[192.0.2.1]:25: Connection timed out", "4.4.1")
    assert "relay=none, delay=0.7, delays=0.01/0.02/0.67/0, dsn=4.4.1, status=deferred (connect to" in line(outcome)


def test_a_local_delivery_has_no_connection():
    assert "relay=virtual, delay=0.7, delays=0.01/0.02/0/0.67," in line(Outcome.bounced("no", "5.1.1", relay="virtual"))


def test_quoted_and_internal_addresses():
    recipient = Recipient("a b@y.test", '""@mx.test')
    assert 'to=<"a b"@y.test>' in line(Outcome.sent("ok"), recipient)
    assert "to=<a b@y.test>" in line(Outcome.sent("ok"), recipient, external=False)
    assert 'to=<""@mx.test>' in line(Outcome.sent("ok"), Recipient("@mx.test"))


def test_probes():
    assert "status=undeliverable (no)" in line(Outcome(Fate.UNDELIVERABLE, "5.1.1", "no"))
