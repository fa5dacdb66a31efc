"""Calls over a connection in memory: answers, events, errors, lost and silent peers, successors."""

import pytest
from twisted.internet.defer import Deferred

from mailer.interfaces.transport import TransportUnavailable
from mailer.ipc.client import CONNECT_WITHIN, GIVE_UP_AFTER, PING_AFTER, Client
from mailer.ipc.errors import LostPeer, RemoteFault
from mailer.ipc.server import CallServer
from mailer.message.status import MailError, PermanentError, Reply, TemporaryError
from mailer.testing.network import MemoryNetwork

PATH = "mailer/private/peer"


class Bench:
    """A client and a server; ``calls`` are requests that were not answered at once."""

    def __init__(self):
        self.network = MemoryNetwork()
        self.calls = []
        self.told = []
        self.verbs = {
            "echo": lambda call: call.answer(*call.arguments, body=call.body),
            "wait": self.calls.append,
            "tell": lambda call: self.told.append(call.arguments),
            "raise": self.fail,
            "run": lambda call: call.run(self.later(call)),
        }
        self.server = self.serve()
        self.client = Client(self.network, PATH, "the peer")

    def serve(self):
        server = CallServer(self.network, self.verbs)
        self.network.listeners[PATH] = server
        return server

    def fail(self, call):
        raise self.error

    async def later(self, call):
        self.deferred = Deferred()
        return await self.deferred

    def call(self, *arguments, **more):
        results = []
        self.client.call(*arguments, **more).addBoth(results.append)
        return results

    def ask(self, *arguments, **more):
        results = self.call(*arguments, **more)
        self.network.settle()
        (result,) = results
        if hasattr(result, "raiseException"):
            result.raiseException()
        return result

    def lose(self):
        for caller in list(self.server.callers):
            caller.transport.abortConnection()
        self.network.settle()


@pytest.fixture
def bench():
    return Bench()


def test_an_answer(bench):
    assert bench.ask("echo", 1, "zwei", None, [3], body=b"octets") == ([1, "zwei", None, [3]], b"octets")


def test_answers_find_their_calls_in_any_order(bench):
    first, second = bench.call("wait", "first"), bench.call("wait", "second")
    bench.network.settle()
    for call in reversed(bench.calls):
        call.answer(call.arguments[0])
    bench.network.settle()
    assert (first, second) == ([(["first"], b"")], [(["second"], b"")])
    assert bench.client.outstanding == 0


def test_all_of_one_turn_leaves_in_one_write(bench):
    bench.ask("echo")
    before = len(bench.network.wires[0].written), len(bench.network.wires[0].other.written)
    for _ in range(20):
        bench.call("echo")
    bench.network.settle()
    assert (len(bench.network.wires[0].written), len(bench.network.wires[0].other.written)) == (
        before[0] + 1,
        before[1] + 1,
    )


def test_events_come_before_the_answer(bench):
    events = []
    result = bench.call("wait", events=lambda values, body: events.append((values, body)))
    bench.network.settle()
    bench.calls[0].event("one", body=b"1")
    bench.network.settle()
    assert events == [(["one"], b"1")] and not result
    bench.calls[0].event("two")
    bench.calls[0].answer()
    bench.network.settle()
    assert events[1:] == [(["two"], b"")] and result == [([], b"")]


@pytest.mark.parametrize(
    "error",
    [
        TemporaryError("disk", "4.3.1", "Insufficient", 452),
        PermanentError("no", "5.7.1", 554, "policy"),
        TransportUnavailable("no such file"),
        MailError(Reply(421, "4.7.0", "several\nlines"), "sch\udcf6n"),
    ],
)
def test_errors_arrive_as_they_were(bench, error):
    bench.error = error
    with pytest.raises(MailError) as caught:
        bench.ask("raise")
    assert caught.value.reply == error.reply and caught.value.cause == error.cause
    assert isinstance(caught.value, TransportUnavailable) == isinstance(error, TransportUnavailable)


def test_a_fault_of_the_peer_is_a_fault_here(bench):
    bench.error = ZeroDivisionError("oops")
    with pytest.raises(RemoteFault, match="ZeroDivisionError: oops"):
        bench.ask("raise")


def test_a_coroutine_answers(bench):
    result = bench.call("run")
    bench.network.settle()
    bench.deferred.callback(5)
    bench.network.settle()
    assert result == [([5], b"")]


def test_a_cast_is_not_answered(bench):
    bench.client.cast("tell", "lost: nobody is there")
    bench.ask("echo")
    bench.client.cast("tell", 1)
    bench.network.settle()
    assert bench.told == [[1]]


def test_what_was_under_way_fails_when_the_peer_goes_and_the_next_call_finds_another(bench):
    result = bench.call("wait")
    bench.network.settle()
    bench.lose()
    assert result[0].check(LostPeer) and result[0].value.reply.temporary
    assert bench.ask("echo", 1) == ([1], b"")


def test_calls_wait_while_nobody_listens(bench):
    del bench.network.listeners[PATH]
    result = bench.call("echo", 1)
    bench.network.settle()
    bench.network.advance(CONNECT_WITHIN / 2)
    assert not result
    bench.serve()
    bench.network.until(lambda: result, 2)
    assert result == [([1], b"")]


def test_calls_do_not_wait_for_ever(bench):
    del bench.network.listeners[PATH]
    result = bench.call("echo", 1)
    bench.network.until(lambda: result, CONNECT_WITHIN + 2)
    assert result[0].check(LostPeer)


def test_a_silent_peer_is_pinged_and_stays(bench):
    result = bench.call("wait")
    bench.network.settle()
    for _ in range(int(5 * GIVE_UP_AFTER)):
        bench.network.advance(1)
        bench.network.settle()
    assert not result and bench.client.connected
    bench.calls[0].answer()
    bench.network.settle()
    assert result == [([], b"")]


def test_a_hanging_peer_is_given_up(bench):
    result = bench.call("wait")
    bench.network.settle()
    (caller,) = bench.server.callers
    caller.dataReceived = lambda data: None
    bench.network.until(lambda: result, GIVE_UP_AFTER + 3)
    assert bench.network.seconds() >= GIVE_UP_AFTER - 1
    assert result[0].check(LostPeer)


def test_a_peer_that_owes_nothing_is_left_alone(bench):
    bench.ask("echo")
    bench.network.advance(10 * GIVE_UP_AFTER)
    bench.network.settle()
    result = bench.call("wait")
    bench.network.settle()
    bench.network.advance(PING_AFTER - 2)
    bench.network.settle()
    assert not result and bench.client.connected


def test_a_peer_that_leaves_answers_what_it_was_asked_and_its_successor_gets_the_rest(bench):
    first = bench.call("wait", "old")
    bench.network.settle()
    old = bench.server
    bench.server = bench.serve()
    old.leave()
    bench.network.settle()
    assert bench.ask("echo", "new") == (["new"], b"")
    assert len(bench.server.callers) == 1 and len(old.callers) == 1
    bench.calls[0].answer("old")
    bench.network.settle()
    assert first == [(["old"], b"")] and not old.callers


def test_introductions_come_first_at_each_connection(bench):
    bench.client.introductions.append(lambda client: client.cast("tell", "hello"))
    bench.ask("echo")
    assert bench.told == [["hello"]]
    bench.lose()
    bench.network.until(lambda: len(bench.told) == 2, 2)


def test_a_closed_client_asks_nothing(bench):
    result = bench.call("wait")
    bench.network.settle()
    bench.client.close()
    bench.network.settle()
    assert result[0].check(LostPeer)
    with pytest.raises(LostPeer):
        bench.ask("echo")


@pytest.mark.parametrize(
    "header",
    [["nothing known", 1, 0.0], ["echo"], ["echo", 1], ["echo", "x", 0.0], ["echo", 1, "now"], ["echo", None, 0.0]],
)
def test_nonsense_costs_the_connection(bench, header):
    bench.ask("echo")
    bench.client._peer.send(header)
    bench.network.settle()
    assert not bench.server.callers and not bench.client.connected


def test_what_a_dead_predecessor_has_not_read_is_not_carried_out_any_more(bench):
    bench.network.advance(1000)
    bench.client.start()
    bench.network.settle()
    peer = bench.client._peer
    late, timely = Deferred(), Deferred()
    peer.ask(["echo", 1, 0.0, "late"], b"", late, None)
    peer.ask(["echo", 2, 0.0, "timely"], b"", timely, None)
    for caller in bench.server.callers:
        received, caller.dataReceived = caller.dataReceived, lambda data: kept.append(data)
    kept = []
    bench.network.settle()
    bench.network.advance(31)
    peer.ask(["echo", 3, 0.0, "now"], b"", now := Deferred(), None)
    bench.network.settle()
    received(b"".join(kept))
    bench.network.settle()
    assert late.result.check(TemporaryError) and timely.result.check(TemporaryError)
    assert now.result == (["now"], b"")
    for answer in (late, timely):
        answer.addErrback(lambda failure: None)


def test_callers_that_have_gone_are_known(bench):
    gone = []
    bench.verbs["watch"] = lambda call: call.caller.gone.append(lambda: gone.append(1))
    bench.server.verbs.update(bench.verbs)
    bench.client.start()
    bench.network.settle()
    bench.client.cast("watch")
    bench.network.settle()
    assert not gone
    bench.lose()
    assert gone == [1]


def test_a_peer_that_does_not_read_holds_calls_up(bench):
    bench.network.window = 1000
    bench.ask("echo")
    results = [bench.call("echo", number, body=b"x" * 70000) for number in range(10)]
    assert bench.client._peer.crowded and len(bench.client._waiting) > 5
    bench.network.settle()
    assert [result[0][0] for result in results] == [[number] for number in range(10)]
