"""Warnings about a destination that fills the active queue."""

import pytest


def warnings(one):
    return [line for line in one.log.lines if line.startswith("warning ")]


def test_a_destination_that_takes_all_the_room(world):
    one = world(qmgr_message_active_limit="20", smtp_destination_concurrency_limit="2")
    one.smtp.hold = True
    for _ in range(12):
        one.send("b@y.test")
    assert warnings(one) == []  # nothing starts, so nobody looks
    one.smtp.end()
    assert warnings(one) == [
        "warning mail for y.test is using up 11 of 11 active queue entries",
        "warning you may need to increase the main.cf smtp_destination_concurrency_limit from 2",
        "warning please avoid flushing the whole queue when you have",
        "warning lots of deferred mail, that is bad for performance",
    ]
    one.smtp.end()
    assert len(warnings(one)) == 4  # once in qmgr_clog_warn_time
    for _ in range(3):
        one.send("b@y.test")
    one.clock.advance(301)
    one.smtp.end()
    assert len(warnings(one)) == 8


@pytest.mark.parametrize("settings", [{"qmgr_clog_warn_time": "0"}, {"helpful_warnings": "no"}])
def test_nobody_wants_to_hear_it(world, settings):
    one = world(qmgr_message_active_limit="20", smtp_destination_concurrency_limit="2", **settings)
    one.smtp.hold = True
    for _ in range(12):
        one.send("b@y.test")
    one.smtp.end()
    assert warnings(one) == []


def test_other_advice(world):
    one = world(qmgr_message_active_limit="20", smtp_initial_destination_concurrency="2")
    one.smtp.hold = True
    for _ in range(14):
        one.send("b@y.test")
        one.send("c@z.test")
    one.smtp.end()
    assert warnings(one)[:4] == [
        "warning mail for y.test is using up 9 of 19 active queue entries",
        "warning this may slow down other mail deliveries",
        "warning you may need to reduce smtp connect and helo timeouts",
        "warning so that Postfix quickly skips unavailable hosts",
    ]
