"""Rate delays, dead destinations, transports that do not work."""

import pytest

from mailer.schedule.limits import Limits

REFUSED = ("4.4.1", "connect to dead[192.0.2.1]:25: Connection refused")


def refuse(names, until=float("inf")):
    def service(entry):
        return (0.1, REFUSED) if entry.queue.name in names and world["now"]() < until else 1.0

    world = {"now": lambda: 0.0}
    service.world = world
    return service


def test_a_rate_delay_serialises_a_destination(simulation):
    world = simulation(rate_delay=0.25, service=lambda entry: 0.5)
    for name in "abc":
        world.send(name, ["one.example"])
    world.send("other", ["two.example"])
    world.run()
    assert [(t, n) for t, n, queue, _ in world.started if queue == "one.example"] == [
        (0.0, "a"),
        (0.75, "b"),
        (1.5, "c"),
    ]
    assert (0.0, "other", "two.example", 1) in world.started
    assert world.most_busy["one.example"] == 1
    assert world.scheduler.transports["smtp"].queues == {}


def test_a_rate_delay_also_holds_for_mail_that_comes_later(simulation):
    world = simulation(rate_delay=10.0)
    world.send("a", ["one.example"])
    world.run(until=2)
    world.send("b", ["one.example"])
    world.run()
    assert [t for t, *_ in world.started] == [0.0, 11.0]


def test_a_transport_rate_delay_serialises_everything(simulation):
    world = simulation(transport_rate_delay=0.5)
    for name in "abc":
        world.send(name, [name])
    world.run()
    assert [t for t, *_ in world.started] == [0.0, 1.5, 3.0]


def retried(world):
    return [(time, name, queue) for time, name, queue, _ in world.started if queue.startswith("4.")]


def test_a_dead_destination_is_left_alone_and_its_mail_deferred_with_the_reason(simulation):
    service = refuse({"dead"})
    world = simulation(service=service)
    for number in range(20):
        world.send(f"m{number}", ["dead"])
    world.send("well", ["fine"])
    world.run(until=100)
    tried = [name for _, name, queue, _ in world.started if queue == "dead"]
    assert tried == [f"m{number}" for number in range(5)]  # the initial window; its three first failures kill
    suspended = retried(world)
    assert [name for _, name, _ in suspended] == [f"m{number}" for number in range(5, 20)]
    assert {queue for *_, queue in suspended} == {f"4.4.1 delivery temporarily suspended: {REFUSED[1]}"}
    assert {"well", *(f"m{number}" for number in range(20))} == set(world.ended)
    # New mail does not even try, as long as the destination is thought dead.
    world.send("late", ["dead"])
    assert world.started[-1][1:3] == ("late", f"4.4.1 delivery temporarily suspended: {REFUSED[1]}")
    world.run(until=299)
    world.send("later", ["dead"])
    assert world.started[-1][2].startswith("4.4.1")
    world.run(until=301)
    assert world.scheduler.transports["smtp"].queues == {}
    world.send("again", ["dead"])
    assert world.started[-1][1:3] == ("again", "dead")


def test_a_destination_that_lives_again_starts_with_the_initial_window(simulation):
    service = refuse({"dead"}, until=50)
    world = simulation(service=service, dead_time=60)
    service.world["now"] = lambda: world.now
    for number in range(10):
        world.send(f"m{number}", ["dead"])
    world.run(until=70)
    for number in range(10):
        world.send(f"n{number}", ["dead"])
    assert [queue for *_, queue, _ in world.started[-5:]] == ["dead"] * 5
    world.run()
    assert {f"n{number}" for number in range(10)} <= set(world.ended)


def test_forgiving_wakes_the_dead(simulation):
    service = refuse({"dead"}, until=10)
    world = simulation(service=service)
    service.world["now"] = lambda: world.now
    for number in range(10):
        world.send(f"m{number}", ["dead"])
    world.run(until=20)
    world.scheduler.forgive()
    world.send("now", ["dead"])
    assert world.started[-1][1:3] == ("now", "dead")
    world.run()
    assert world.scheduler.next_alarm() is None


def test_only_so_many_dead_destinations_are_remembered(simulation):
    world = simulation(service=lambda entry: (0.1, REFUSED), initial_concurrency=1)
    world.scheduler._most_dead = 3
    for number in range(10):
        world.send(f"m{number}", [f"dead{number}"])
        world.run(until=world.now + 1)
    assert list(world.scheduler.transports["smtp"].queues) == ["dead7", "dead8", "dead9"]


def test_mail_for_two_destinations_dead_for_one_reason(simulation):
    world = simulation(
        service=lambda entry: (0.1, REFUSED) if entry.queue.name[0] == "d" else 1.0, initial_concurrency=1
    )
    world.send("a", ["d1", "d2"])
    world.run(until=1)
    world.send("b", ["d1", "fine", "d2"])
    world.run(until=5)
    assert [(name, queue[:6]) for _, name, queue, _ in world.started[2:]] == [
        ("b", "4.4.1 "),
        ("b", "fine"),
        ("b", "4.4.1 "),
    ]
    assert world.ended == ["a", "b"] and world.scheduler.in_core == 0


def test_a_transport_that_does_not_work_is_left_alone_for_transport_retry_time(simulation):
    world = simulation(limits={"smtp": Limits(processes=2)})
    for number in range(6):
        world.send(f"m{number}", [f"d{number}"])
    smtp = world.scheduler.transports["smtp"]
    world.pump(world.scheduler.suspend(smtp, ("4.3.0", "mail transport unavailable"), world.now))
    assert [queue for *_, queue, _ in world.started[2:]] == ["4.3.0 mail transport unavailable"] * 4
    world.run(until=30)
    world.send("late", ["x"])
    assert world.started[-1][2] == "4.3.0 mail transport unavailable"
    world.run(until=61)
    world.send("again", ["x"])
    assert world.started[-1][2] == "x"


@pytest.mark.parametrize("event", ["throttle", "unthrottle"])
def test_feedback_debug_lines(simulation, event):
    lines = []
    service = refuse({"[127.0.0.1]:2599"})
    world = simulation(service=service if event == "throttle" else lambda entry: 1.0, trace=lines.append)
    world.send("a", ["[127.0.0.1]:2599"])
    world.run(until=2)
    window, failure, cohorts = (3, 1, 0.2) if event == "throttle" else (6, 0, 0)
    assert lines == [
        f"qmgr_queue_{event}: feedback 1",
        f"qmgr_queue_{event}: queue [127.0.0.1]:2599: limit 20 window {window} success 0 failure {failure}"
        f" fail_cohorts {cohorts}",
    ]


def test_the_limits_of_retry_are_its_own(simulation):
    world = simulation(
        limits={"retry": Limits(processes=1)}, service=lambda entry: (0.1, REFUSED), initial_concurrency=1
    )
    for number in range(4):
        world.send(f"m{number}", ["dead"])
    world.run(until=3)
    assert world.scheduler.in_core == 0
