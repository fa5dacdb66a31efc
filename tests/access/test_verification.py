"""reject_unverified_recipient and reject_unverified_sender: replies as Postfix 3.7 gives them."""

from __future__ import annotations

import pytest
from access_stand_ins import World

from mailer.message.status import TemporaryError
from mailer.message.verification import Known, Verification


class Verifier:
    def __init__(self, known: Known | None, text: str = "host said no") -> None:
        self.answer = None if known is None else Verification(known, text)
        self.asked: list[tuple[str, float]] = []

    async def verify(self, address: str, patience: float) -> Verification:
        self.asked.append((address, patience))
        if self.answer is None:
            raise TemporaryError("gone")
        return self.answer


def world(known: Known | None, then: str = "", **settings: str) -> World:
    made = World(smtpd_recipient_restrictions=f"reject_unverified_recipient{then}", **settings)
    for restriction in made.access._for_recipients[1].members:
        object.__setattr__(restriction.environment, "verifier", Verifier(known))
    return made


PREFIX = "<u@mail.example>: Recipient address rejected:"


@pytest.mark.parametrize(
    ("known", "settings", "reply"),
    [
        (Known.DELIVERABLE, {}, ""),
        (Known.UNDELIVERABLE, {}, f"450 4.1.1 {PREFIX} unverified address: host said no"),
        (
            Known.UNDELIVERABLE,
            {"unverified_recipient_reject_code": "550"},
            f"550 5.1.1 {PREFIX} undeliverable address: host said no",
        ),
        (Known.DEFERRED, {"unverified_recipient_reject_code": "550"}, f"450 4.1.1 {PREFIX} unverified address: host said no"),
        (Known.DEFERRED, {"unverified_recipient_defer_code": "250"}, ""),
        (Known.PENDING, {"unverified_recipient_defer_code": "451"}, f"451 4.1.1 {PREFIX} unverified address: host said no"),
        (
            Known.UNDELIVERABLE,
            {"unverified_recipient_reject_reason": "Nobody"},
            f"450 4.1.1 {PREFIX} unverified address: Nobody",
        ),
        (None, {}, f"450 4.1.1 {PREFIX} address verification problem"),
    ],
)  # fmt: skip
def test_replies(known: Known | None, settings: dict[str, str], reply: str) -> None:
    assert world(known, **settings).recipient() == reply


@pytest.mark.parametrize("known", [Known.UNDELIVERABLE, Known.DEFERRED, Known.PENDING, None])
def test_what_may_change_defers_unless_something_else_refuses(known: Known | None) -> None:
    assert world(known, ", reject").recipient().startswith("554 5.7.1")
    assert world(known, ", reject", unverified_recipient_tempfail_action="defer").recipient().startswith("450 4.1.1")
    assert world(known, ", permit").recipient().startswith("450 4.1.1")


@pytest.mark.parametrize(("count", "patience"), [("1", 0.0), ("3", 10.0)])
def test_patience(count: str, patience: float) -> None:
    made = world(Known.DELIVERABLE, address_verify_poll_count=count, address_verify_poll_delay="5s")
    made.recipient()
    verifier = made.access._for_recipients[1].members[0].environment.verifier
    assert verifier.asked == [("u@mail.example", patience)]
