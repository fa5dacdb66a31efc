"""When a daemon that has died is started again."""

from mailer.master.backoff import Backoff


def test_one_that_has_served_is_started_at_once_until_it_dies_too_often():
    backoff = Backoff(60)
    pauses = [backoff.died(float(second), True, False) for second in range(9)]
    assert pauses == [0, 0, 0, 0, 0, 1, 2, 4, 8]
    assert [backoff.died(70.0, True, False), backoff.died(200.0, True, False)] == [0.0, 0.0]


def test_one_that_does_not_come_up_waits_longer_each_time_up_to_the_limit():
    backoff = Backoff(10)
    assert [backoff.died(0.0, False, False) for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    backoff.served()
    assert backoff.died(0.0, False, False) == 1


def test_what_is_killed_is_not_to_blame():
    backoff = Backoff(60)
    assert {backoff.died(0.0, True, True) for _ in range(100)} == {0.0}
    assert max(backoff.died(0.0, False, True) for _ in range(100)) < 1
