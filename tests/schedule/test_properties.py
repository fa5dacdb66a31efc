"""Whatever happens, every recipient is handed out exactly once and nothing is left behind."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mailer.schedule.limits import Limits

NAMES = st.sampled_from("abcde")

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.lists(NAMES, min_size=1, max_size=12), st.sampled_from(["smtp", "local"])),
        st.tuples(st.just("step"), st.integers(1, 8), st.none()),
        st.tuples(st.just("withdraw"), st.integers(0, 20), st.none()),
        st.tuples(st.just("forgive"), st.none(), st.none()),
        st.tuples(st.just("suspend"), st.sampled_from(["smtp", "local"]), st.none()),
    ),
    max_size=30,
)


@given(
    ACTIONS,
    st.integers(0, 4),
    st.integers(0, 3),
    st.sampled_from([0.0, 0.3]),
    st.integers(0, 3),
    st.lists(st.booleans(), min_size=1, max_size=7),
)
def test_every_recipient_once(simulation, actions, processes, limit, delay, cost, fails):
    started = Counter()
    turn = [0]

    def service(entry):
        started[entry.message.name] += len(entry.recipients)
        turn[0] += 1
        if fails[turn[0] % len(fails)] and not entry.queue.name.startswith("4."):
            return 0.2, ("4.4.1", "refused")
        return 0.1 * (1 + turn[0] % 3)

    limits = Limits(
        processes=processes, recipient_limit=limit, rate_delay=delay, slot_cost=cost, concurrency_limit=2, dead_time=3
    )
    world = simulation(limits=dict.fromkeys(("smtp", "local", "retry"), limits), service=service)
    sent, mails = Counter(), []
    for number, (action, argument, transport) in enumerate(actions):
        if action == "send":
            sent[str(number)] = len(argument)
            mails.append(world.send(str(number), argument, transport))
        elif action == "step":
            for _ in range(argument):
                world.step()
        elif action == "withdraw" and argument < len(mails):
            mail = mails[argument]
            sent[mail.name] -= len(world.scheduler.withdraw(mail))
        elif action == "forgive":
            world.scheduler.forgive()
            world.pump(list(world.scheduler.transports.values()))
        elif action == "suspend":
            transport = world.scheduler.transport(argument)
            world.pump(world.scheduler.suspend(transport, ("4.3.0", "unavailable"), world.now))
    world.run()
    assert +started == +sent
    assert world.scheduler.in_core == 0
    assert world.scheduler.next_alarm() is None
    for transport in world.scheduler.transports.values():
        assert (transport.busy, transport.waiting, transport.in_core, transport.queues) == (0, 0, 0, {})
        assert transport.reason is None and not transport.paused
