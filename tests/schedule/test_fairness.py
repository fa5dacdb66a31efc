"""Who waits for whom: destinations, big and small messages, transports. Simulated."""

import pytest

from mailer.schedule.limits import Limits


def numbered(prefix, count):
    return [f"{prefix}{number}" for number in range(count)]


def test_jobs_go_in_order_of_arrival(simulation):
    world = simulation(processes=1)
    for name in "abc":
        world.send(name, ["one.example"])
    world.run()
    assert world.order() == ["a", "b", "c"]


def test_destinations_of_one_message_take_turns(simulation):
    world = simulation(processes=1)
    world.send("list", ["a", "a", "a", "b", "b", "c"])
    world.run()
    assert [queue for _, _, queue, _ in world.started] == ["a", "b", "c", "a", "b", "a"]


def test_one_slow_destination_does_not_hold_up_the_others(simulation):
    world = simulation(service=lambda entry: 1000.0 if entry.queue.name == "slow" else 1.0, processes=100)
    for number in range(500):
        world.send(f"slow{number}", ["slow"])
    for number in range(500):
        world.send(f"fast{number}", [f"fast{number % 50}"])
    world.run(until=60)
    done = [name for name in world.ended if name.startswith("fast")]
    assert len(done) == 500
    assert world.most_busy["slow"] == 5  # it never grew: nothing came back yet
    assert max(time for time, name, _, _ in world.started if name.startswith("fast")) < 10


def test_a_destination_never_gets_more_than_its_limit(simulation):
    world = simulation(concurrency_limit=7, processes=0)
    world.send("list", ["one.example"] * 300)
    world.run()
    assert world.most_busy["one.example"] == 7


def test_the_transport_never_gets_more_than_its_processes(simulation):
    world = simulation(processes=4)
    world.send("list", numbered("d", 50))
    assert len(world.started) == 4
    world.run()
    transport = world.scheduler.transports["smtp"]
    assert (transport.busy, transport.waiting, transport.queues) == (0, 0, {})
    assert [len([t for t, *_ in world.started if t == now]) for now in range(13)] == [4] * 12 + [2]


def test_transports_do_not_share_their_limits(simulation):
    world = simulation(limits={"smtp": Limits(processes=1), "local": Limits(processes=2)})
    world.send("a", numbered("d", 4), "smtp")
    world.send("b", numbered("d", 4), "local")
    assert [name for _, name, _, _ in world.started] == ["a", "b", "b"]


def test_recipients_of_one_destination_share_deliveries(simulation):
    world = simulation(recipient_limit=50)
    world.send("list", ["a"] * 120 + ["b"] * 3)
    world.run()
    assert sorted((queue, count) for _, _, queue, count in world.started) == [("a", 20), ("a", 50), ("a", 50), ("b", 3)]


def test_no_recipient_limit_means_one_delivery(simulation):
    world = simulation(recipient_limit=0)
    world.send("list", ["a"] * 1000)
    assert [count for *_, count in world.started] == [1000]


def slots(simulation, cost, jobs, **more):
    """The sequence in which single deliveries are handed out, SCHEDULER_README's notation."""
    more = {"slot_discount": 0, "slot_loan": 0, "minimum_slots": 0, "processes": 1, **more}
    world = simulation(slot_cost=cost, **more)
    for name, size in jobs:
        world.send(name, [f"{name}{number}" for number in range(size)])
    world.run()
    return "".join(world.order())


def test_small_mail_uses_the_slots_that_a_big_one_accumulates(simulation):
    # The first delivery starts before the others arrive; after that one slot for two deliveries.
    assert slots(simulation, 2, [("1", 10), ("2", 2), ("3", 2)]) == "11112211113311"


def test_a_loan_lets_small_mail_go_earlier(simulation):
    assert slots(simulation, 2, [("1", 10), ("2", 2), ("3", 2)], slot_discount=50) == "11221111331111"


def test_without_slot_cost_it_is_first_come_first_served(simulation):
    assert slots(simulation, 0, [("1", 10), ("2", 1), ("3", 1)]) == "1" * 10 + "23"


def test_a_message_that_never_accumulates_the_minimum_is_not_preempted(simulation):
    assert slots(simulation, 2, [("1", 8), ("2", 1)], minimum_slots=4) == "1" * 8 + "2"
    assert slots(simulation, 2, [("1", 10), ("2", 1)], minimum_slots=4) == "1121" + "1" * 7


def test_preemption_nests(simulation):
    world = simulation(processes=1, slot_cost=2, slot_discount=0, slot_loan=0, minimum_slots=0)
    world.send("1", numbered("a", 40))
    world.send("2", numbered("b", 8))
    world.later(18.5, lambda: world.send("3", ["c"]))
    world.run()
    assert "".join(world.order()) == "1" * 16 + "222" + "3" + "22222" + "1" * 24


def test_the_eldest_per_delivery_goes_first_not_the_smallest(simulation):
    world = simulation(processes=1, slot_cost=2, slot_discount=0, slot_loan=0, minimum_slots=0)
    world.send("big", numbered("b", 400))
    world.later(0.5, lambda: world.send("two", ["t1", "t2"]))
    for number in range(200):
        world.later(10.5 + number, lambda number=number: world.send(f"one{number}", [f"o{number}"]))
    world.run(until=40)
    assert "two" in world.ended


@pytest.mark.parametrize("recipients", [100_000])
def test_a_small_message_slips_past_a_big_mailing(simulation, recipients):
    """100,000 recipients at 100 a second; a single message each ten seconds waits for no more than the next free agent."""
    world = simulation(processes=100, concurrency_limit=20)
    world.keep = False
    world.send("mailing", [f"d{number % 5000}" for number in range(recipients)])
    small = []
    for number in range(90):
        world.later(
            10.0 * number + 5.5, lambda number=number: small.append(world.send(f"s{number}", [f"one{number}.example"]))
        )
    world.run()
    waits = [mail.finished - mail.enqueued for mail in small]
    assert max(waits) <= 2.0  # half a second for an agent to come free, one for the delivery itself
    assert world.now <= recipients / 100 * 1.01


def inflation(simulation, cost):
    """How much longer a mailing takes when small mail keeps coming faster than it can be delivered."""
    world = simulation(processes=10, slot_cost=cost)
    world.keep = False
    mailing = world.send("mailing", numbered("m", 2000))

    def more():
        if mailing.finished is None:
            for number in range(12):
                world.send("small", [f"s{world.now}.{number}"])
            world.later(world.now + 1, more)

    world.later(0.5, more)
    while mailing.finished is None:
        world.step()
    return mailing.finished / 200.0


@pytest.mark.parametrize("cost", [2, 5, 10])
def test_the_mailing_pays_no_more_than_its_slots(simulation, cost):
    assert 1.0 < inflation(simulation, cost) <= (cost + 1) / cost + 0.02


def test_small_mail_behind_small_mail_for_a_blocked_destination(simulation):
    """A thousand messages for a destination that takes none must not hide the one that could go."""
    world = simulation(
        service=lambda entry: 1e6 if entry.queue.name == "stuck" else 1.0, processes=10, concurrency_limit=2
    )
    world.send("mailing", numbered("m", 5000))
    for number in range(1000):
        world.send(f"stuck{number}", ["stuck"])
    late = world.send("late", ["fine.example"])
    world.run(until=20)
    assert late.finished is not None and late.finished <= 4.0


def test_a_preempting_job_that_is_held_up_does_not_hold_up_the_transport(simulation):
    world = simulation(
        service=lambda entry: 1e6 if entry.queue.name == "stuck" else 1.0, processes=4, concurrency_limit=1
    )
    mailing = world.send("mailing", numbered("m", 400))
    world.send("held", ["stuck"] * 5)
    world.run(until=200)
    assert mailing.finished is not None


def test_withdrawn_mail_is_not_started(simulation):
    world = simulation(processes=1)
    first = world.send("a", ["x", "y", "z"])
    world.send("b", ["x"])
    assert sorted(world.scheduler.withdraw(first)) == [1, 2]
    world.run()
    assert world.order() == ["a", "b"]
    assert world.scheduler.in_core == 0
    assert world.scheduler.transports["smtp"].queues == {}
