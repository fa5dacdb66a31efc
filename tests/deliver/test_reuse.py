"""Connections kept for the next message, and what happens when a kept one is gone."""

import pytest
from twisted.internet.defer import Deferred

from mailer.deliver.smtp.desk import Desk
from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.transport import SmtpTransport
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Envelope, Recipient
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog
from mailer.testing.network import MemoryNetwork
from mailer.testing.peer import DROP, After, Peer, Script
from mailer.testing.transports import MemoryContent, RecordingOutcomes

CONTENT = b"Subject: x\r\n\r\nhello\r\n"


class Rig:
    """One server, one transport."""

    def __init__(self, *scripts, **parameters):
        self.network = MemoryNetwork()
        self.peer = self.network.listeners["192.0.2.1", 25] = Peer(*scripts, clock=self.network)
        self.log = RecordingLog()
        self.transport = SmtpTransport(
            Desk(ClientParameters(**parameters), self.network, lambda: 1e9, self.log, FakeResolver())
        )

    def start(self, address="a@x.example", nexthop="[192.0.2.1]", busy=True, probe=False):
        outcomes = RecordingOutcomes()
        request = DeliveryRequest(
            "QID", Envelope("s@x.example"), MemoryContent(CONTENT), "smtp", nexthop, [Recipient(address)],
            probe=probe, busy=busy,
        )  # fmt: skip
        outcomes.done = []
        Deferred.fromCoroutine(self.transport.deliver(request, outcomes)).addBoth(outcomes.done.append)
        return outcomes

    def deliver(self, *arguments, **options):
        outcomes = self.start(*arguments, **options)
        self.network.settle()
        assert outcomes.done == [None]
        return outcomes

    @property
    def sessions(self):
        return [[command.split(":")[0] for command in commands] for commands in self.peer.commands]


ONE = ["MAIL FROM", "RCPT TO", "DATA", "."]


def test_a_connection_is_used_again_while_more_mail_waits():
    rig = Rig()
    first, second, third = (rig.deliver(busy=busy) for busy in (True, True, False))
    assert rig.sessions == [["EHLO localhost", *ONE, *ONE, *ONE, "QUIT"]]
    assert [each.told[0][1].conn_use for each in (first, second, third)] == [1, 2, 3]


def test_a_connection_is_not_kept_when_nothing_waits():
    rig = Rig()
    rig.deliver(busy=False), rig.deliver(busy=False)
    assert rig.sessions == [["EHLO localhost", *ONE, "QUIT"]] * 2


def test_a_connection_is_not_kept_when_that_is_not_wanted():
    rig = Rig(cache_on_demand=False)
    rig.deliver()
    assert rig.sessions == [["EHLO localhost", *ONE, "QUIT"]]


def test_some_destinations_are_always_kept():
    rig = Rig(cache_on_demand=False, cache_destinations=("192.0.2.1",))
    rig.deliver(busy=False), rig.deliver(busy=False)
    assert len(rig.peer.sessions) == 1


def test_an_idle_connection_says_quit_after_its_time():
    rig = Rig(cache_time_limit=2.0)
    rig.deliver()
    rig.network.advance(1)
    assert "QUIT" not in rig.sessions[0] and not rig.peer.sessions[0].lost
    for _ in range(3):
        rig.network.advance(1)
        rig.network.settle()
    assert rig.sessions[0][-1] == "QUIT" and rig.peer.sessions[0].lost
    assert not rig.network.getDelayedCalls()


def test_no_connection_is_used_longer_than_allowed():
    rig = Rig(reuse_time_limit=10.0, cache_time_limit=100.0)
    rig.deliver()
    rig.network.advance(9)
    rig.deliver()
    rig.network.advance(2)
    rig.deliver()
    rig.deliver()
    assert rig.sessions[0] == ["EHLO localhost", *ONE, *ONE, *ONE, "QUIT"] and len(rig.sessions) == 2


def test_no_connection_is_used_more_often_than_allowed():
    rig = Rig(reuse_count_limit=2)
    for _ in range(4):
        rig.deliver()
    assert rig.sessions == [["EHLO localhost", *ONE, *ONE, *ONE, "QUIT"], ["EHLO localhost", *ONE]]


def test_connections_to_different_destinations_are_not_mixed_up():
    rig = Rig()
    rig.network.listeners["192.0.2.1", 2525] = rig.peer
    rig.deliver(), rig.deliver(nexthop="[192.0.2.1]:2525"), rig.deliver()
    assert [len(session) for session in rig.sessions] == [9, 5]


def test_a_kept_connection_that_the_server_closed_is_forgotten():
    rig = Rig()
    rig.deliver()
    rig.peer.sessions[0].transport.loseConnection()
    rig.network.settle()
    assert rig.deliver().fates == ["a@x.example sent"]
    assert len(rig.peer.sessions) == 2


def test_a_kept_connection_that_says_farewell_is_forgotten():
    rig = Rig()
    rig.deliver()
    rig.peer.sessions[0].transport.write(b"421 4.4.2 timeout\r\n")
    rig.network.settle()
    assert rig.deliver().fates == ["a@x.example sent"]
    assert len(rig.peer.sessions) == 2 and rig.peer.sessions[0].lost


@pytest.mark.parametrize("answer", [DROP, "421 4.4.2 timeout|drop", "421 4.7.0 too many"])
def test_a_kept_connection_that_breaks_at_the_next_message_costs_nothing(answer):
    rig = Rig(Script(MAIL=["250 ok", answer]), Script())
    rig.deliver()
    outcomes = rig.deliver()
    assert outcomes.fates == ["a@x.example sent"] and not outcomes.down
    assert outcomes.told[0][1].conn_use == 1 and len(rig.peer.sessions) == 2
    assert not rig.log.lines


def test_several_kept_connections_that_are_gone_cost_nothing_either():
    rig = Rig(*[Script(MAIL=["250 ok", DROP]) for _ in range(3)], Script())
    waiting = [rig.start() for _ in range(3)]
    rig.network.settle()
    assert [each.fates for each in waiting] == [["a@x.example sent"]] * 3
    assert rig.deliver().fates == ["a@x.example sent"]
    assert len(rig.peer.sessions) == 4


def test_a_kept_connection_that_breaks_later_is_a_failure_like_any_other():
    rig = Rig(Script(RCPT=["250 ok", DROP]), Script())
    rig.deliver()
    outcomes = rig.deliver()
    assert outcomes.fates == ["a@x.example sent"], "another connection to the same server is worth a try"
    assert rig.log.lines == ["info QID: lost connection with 192.0.2.1[192.0.2.1] while sending RCPT TO"]


def test_a_session_goes_on_after_refusals():
    rig = Rig(
        Script(
            MAIL=["250 ok", "550 no", "250 ok"],
            RCPT=["550 no", "503 no", "250 ok"],
            DATA=["554 no", "554 no", "354 go"],
        )
    )
    assert rig.deliver().fates == ["a@x.example bounced"]
    assert rig.deliver().fates == ["a@x.example bounced"]
    assert rig.deliver(busy=False).fates == ["a@x.example sent"]
    assert rig.sessions == [["EHLO localhost", *ONE[:3], "RSET", *ONE[:3], "RSET", *ONE, "QUIT"]]


def test_a_session_that_will_not_reset_is_not_used_again():
    rig = Rig(Script(RCPT="550 no", DATA="554 no", RSET="500 what"), Script())
    rig.deliver()
    assert rig.deliver().fates == ["a@x.example sent"]
    assert len(rig.peer.sessions) == 2


def test_a_probe_leaves_the_session_in_order():
    rig = Rig()
    assert rig.deliver(probe=True).fates == ["a@x.example deliverable"]
    assert rig.deliver(busy=False).fates == ["a@x.example sent"]
    assert rig.sessions == [["EHLO localhost", "MAIL FROM", "RCPT TO", "RSET", *ONE, "QUIT"]]


def test_stopping_takes_leave_of_all_kept_connections():
    rig = Rig()
    waiting = [rig.start() for _ in range(3)]
    rig.network.settle()
    assert all(each.fates for each in waiting)
    Deferred.fromCoroutine(rig.transport.stop())
    rig.network.settle()
    assert [session[-1] for session in rig.sessions] == ["QUIT"] * 3
    assert all(session.lost for session in rig.peer.sessions) and not rig.network.getDelayedCalls()


def test_what_is_under_way_while_stopping_is_finished_and_not_kept():
    rig = Rig(Script(DOT=After(5, "250 ok")))
    outcomes = rig.start()
    rig.network.settle()
    Deferred.fromCoroutine(rig.transport.stop())
    rig.network.until(lambda: bool(outcomes.done))
    rig.network.settle()
    assert outcomes.fates == ["a@x.example sent"] and rig.sessions[0][-1] == "QUIT"


def written(rig):
    """What went out on each connection, write by write, as verbs."""
    return [
        [
            b" ".join(line.split(b":")[0] for line in data.split(b"\r\n") if line[:4].isupper() or line == b".")
            for data in wire.written
        ]
        for wire in rig.network.wires
    ]


def warm(rig, sessions=2):
    """So many sessions, kept."""
    waiting = [rig.start() for _ in range(sessions)]
    rig.network.settle()
    assert all(each.done == [None] for each in waiting) and len(rig.peer.sessions) == sessions
    for wire in rig.network.wires:
        wire.written.clear()


def test_a_message_in_line_goes_out_with_the_end_of_the_one_before():
    rig = Rig()
    warm(rig)
    waiting = [rig.start() for _ in range(3)]
    rig.network.settle()
    assert [each.fates for each in waiting] == [["a@x.example sent"]] * 3
    envelope = b"MAIL FROM RCPT TO DATA"
    assert sorted(written(rig)) == [[envelope, b"."], [envelope, b". " + envelope, b"."]]
    assert sorted(each.told[0][1].conn_use for each in waiting) == [2, 2, 3]


def test_no_more_than_one_message_is_in_line():
    rig = Rig()
    warm(rig)
    waiting = [rig.start() for _ in range(5)]
    rig.network.settle()
    assert [each.fates for each in waiting] == [["a@x.example sent"]] * 5
    assert len(rig.peer.sessions) == 3


def test_nobody_stands_in_line_at_a_slow_server():
    rig = Rig(Script(DOT=["250 ok", After(1, "250 ok")]))
    warm(rig)
    second = [rig.start() for _ in range(2)]
    rig.network.until(lambda: all(each.done for each in second))
    third = [rig.start() for _ in range(3)]
    rig.network.settle()
    assert len(rig.peer.sessions) == 3
    rig.network.until(lambda: all(each.done for each in third))


def test_nobody_stands_in_line_behind_the_last_message_of_a_connection():
    rig = Rig(reuse_count_limit=1)
    warm(rig)
    waiting = [rig.start() for _ in range(3)]
    rig.network.settle()
    assert [each.fates for each in waiting] == [["a@x.example sent"]] * 3 and len(rig.peer.sessions) == 3


@pytest.mark.parametrize("answer", [DROP, "421 4.3.2 shutting down|drop"])
def test_a_message_in_line_survives_the_one_before(answer):
    rig = Rig(Script(DOT=["250 ok", answer]), Script(DOT=["250 ok", answer]), Script())
    warm(rig)
    waiting = [rig.start() for _ in range(3)]
    rig.network.settle()
    assert [each.done for each in waiting] == [[None]] * 3
    assert [each.fates for each in waiting] == [["a@x.example deferred"]] * 2 + [["a@x.example sent"]]


def test_a_refused_message_does_not_disturb_the_one_in_line():
    rig = Rig(Script(DOT=["250 ok", "554 no", "250 ok"]))
    warm(rig)
    waiting = [rig.start() for _ in range(3)]
    rig.network.settle()
    assert sorted(fate for each in waiting for fate in each.fates) == [
        "a@x.example bounced",
        "a@x.example bounced",
        "a@x.example sent",
    ]


def test_thousands_of_deliveries_wait_for_slow_servers_at_the_same_time():
    network = MemoryNetwork()
    for number in range(1000):
        script = Script(GREETING=After(20, "220 slow"), DOT=After(200, "250 ok"))
        network.listeners[f"10.0.{number // 250}.{number % 250}", 25] = Peer(script, clock=network)
    transport = SmtpTransport(Desk(ClientParameters(), network, lambda: 1e9, RecordingLog(), FakeResolver()))
    all_outcomes = []
    for host, _ in network.listeners:
        outcomes = RecordingOutcomes()
        request = DeliveryRequest(
            "QID", Envelope("s@x.example"), MemoryContent(CONTENT), "smtp", f"[{host}]", [Recipient("a@x.example")]
        )
        Deferred.fromCoroutine(transport.deliver(request, outcomes))
        all_outcomes.append(outcomes)
    network.until(lambda: all(each.told for each in all_outcomes), 300, 20)
    assert {each.told[0][1].fate.value for each in all_outcomes} == {"sent"}
    assert network.seconds() <= 240
