"""What counts as a high volume of mail for a destination."""

from mailer.schedule.traffic import Traffic


def test_twenty_a_second_are_few_and_more_are_many():
    traffic = Traffic()
    assert not any(traffic.started("a", second / 15) for second in range(150))
    assert [traffic.started("b", 20 + second / 40) for second in range(80)][-1]


def test_destinations_are_counted_apart():
    traffic = Traffic()
    assert [traffic.started("a", 1.0) for _ in range(21)] == [False] * 20 + [True]
    assert not traffic.started("b", 1.0)
    assert traffic.started("a", 1.0)


def test_it_is_over_after_a_second():
    traffic = Traffic()
    for _ in range(1000):
        traffic.started("a", 5.0)
    assert traffic.started("a", 5.5)
    assert not traffic.started("a", 6.5)


def test_a_clock_set_back_changes_nothing():
    traffic = Traffic()
    for _ in range(10):
        traffic.started("a", 100.0)
    assert [traffic.started("a", 50.0) for _ in range(11)] == [False] * 10 + [True]


def test_memory_is_bounded():
    traffic = Traffic()
    for number in range(30_000):
        traffic.started(number, 1.0)
        assert len(traffic) <= 10_000
    traffic = Traffic()
    for number in range(9_999):
        traffic.started(number, 1.0)
    traffic.started("recent", 3.0)
    traffic.started("one more", 3.0)
    assert len(traffic) == 2
