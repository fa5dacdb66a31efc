"""A conversation on a connection: time limits, back-pressure, and every way in which it can end."""

import errno

import pytest
from twisted.internet.defer import Deferred

from mailer.net.client import BrokenOff, ClientConnection
from mailer.net.client_connect import BindFailed, ConnectFailed, call
from mailer.net.sweep import NEVER, Sweep
from mailer.testing.network import MemoryNetwork
from mailer.testing.peer import DROP, HANG, After, Peer, Script
from mailer.wire.smtp.client import Conversation, Failure, Step, Transaction

LIMITS = dict.fromkeys(Step, 10.0) | {Step.BODY: 5.0, Step.DOT: 60.0}


class Rig:
    def __init__(self, script=None, window=None, limits=LIMITS):
        self.network = MemoryNetwork(window=window)
        self.peer = self.network.listeners["192.0.2.1", 25] = Peer(script or Script(), clock=self.network)
        self.sweep = Sweep(self.network)
        self.gone = []
        self.remarks = []
        self.connection = ClientConnection(Conversation(), limits, self.sweep, self.gone.append, self.remarks.append)
        made = []
        call(self.network, self.connection, "192.0.2.1", 25, 30.0).addBoth(made.append)
        self.network.settle()
        assert made == [self.connection]

    def result(self, deferred, seconds=0.0):
        got = []
        deferred.addBoth(got.append)
        self.network.settle()
        while seconds > 0 and not got:
            self.network.advance(1)
            self.network.settle()
            seconds -= 1
        return got

    def hello(self):
        assert self.result(self.connection.greeting())[0].code == 220
        assert self.result(self.connection.command(b"EHLO me", Step.EHLO))[0].code == 250
        self.connection.conversation.pipelining = True
        return self


def message(body=b"Subject: x\r\n\r\nx\r\n", **more):
    return Transaction(b"MAIL FROM:<s@x>", [b"RCPT TO:<a@x>"], body, **more)


async def pieces(*chunks, then=None):
    for chunk in chunks:
        yield chunk
    if then is not None:
        raise then


def test_a_message():
    rig = Rig().hello()
    (deal,) = rig.result(rig.connection.deliver(message()))
    assert deal.failure is None and deal.replies[0].code == 250
    assert rig.peer.mails[0].content == b"Subject: x\r\n\r\nx\r\n"
    assert rig.connection.deadline == NEVER


def test_a_greeting_that_came_before_anybody_asked():
    rig = Rig()
    rig.network.settle()
    assert rig.result(rig.connection.greeting())[0].code == 220


def test_small_messages_are_one_write_for_the_envelope_and_one_for_the_content():
    rig = Rig().hello()
    rig.network.wires[0].written.clear()
    rig.result(rig.connection.deliver(message()))
    assert rig.network.wires[0].written == [
        b"MAIL FROM:<s@x>\r\nRCPT TO:<a@x>\r\nDATA\r\n",
        b"Subject: x\r\n\r\nx\r\n.\r\n",
    ]


def test_large_content_waits_for_the_connection():
    rig = Rig(window=1000).hello()
    read = []

    async def content():
        for number in range(50):
            read.append(number)
            yield b"x" * 498 + b"\r\n"

    got = []
    rig.connection.deliver(message(None), content()).addBoth(got.append)
    most = 0
    while not got:
        assert rig.network._soon, "stuck"
        call_, arguments = rig.network._soon.popleft()
        call_(*arguments)
        most = max(most, rig.network.wires[0]._unread)
    assert got[0].failure is None and len(rig.peer.mails[0].content) == 25_000
    assert most <= 2000


def test_content_that_cannot_be_read_ends_the_connection_without_a_final_dot():
    rig = Rig().hello()
    (deal,) = rig.result(rig.connection.deliver(message(None), pieces(b"half\r\n", then=OSError("disk"))))
    assert (deal.failure, deal.step) == (Failure.LOCAL, Step.BODY) and str(deal.cause) == "disk"
    assert not rig.peer.mails and rig.peer.sessions[0].lost and rig.gone == [rig.connection]


def test_content_is_not_read_when_nobody_wants_it():
    rig = Rig(Script(RCPT="550 no", DATA="554 no")).hello()

    async def content():
        raise AssertionError("read")
        yield b""

    (deal,) = rig.result(rig.connection.deliver(message(None), content()))
    assert deal.failure is None and deal.accepted == []


@pytest.mark.parametrize(
    "verb, step, limit",
    [("MAIL", Step.MAIL, 10), ("RCPT", Step.RCPT, 10), ("DATA", Step.DATA, 10), ("DOT", Step.DOT, 60)],
)
def test_time_limits_of_each_step(verb, step, limit):
    rig = Rig(Script(**{verb: HANG})).hello()
    got = rig.result(rig.connection.deliver(message()), limit - 1)
    assert got == []
    rig.network.advance(1), rig.network.settle(), rig.network.advance(1), rig.network.settle()
    assert (got[0].failure, got[0].step) == (Failure.TIMEOUT, step)
    assert rig.peer.sessions[0].lost and not rig.network.getDelayedCalls()


@pytest.mark.parametrize("verb, step", [("GREETING", Step.GREETING), ("EHLO", Step.EHLO)])
def test_time_limits_before_any_message(verb, step):
    rig = Rig(Script(**{verb: HANG}))
    waiting = rig.connection.greeting()
    if step is Step.EHLO:
        rig.network.settle()
        waiting = rig.connection.command(b"EHLO me", step)
    (failure,) = rig.result(waiting, 12)
    assert failure.check(BrokenOff) and (failure.value.failure, failure.value.step) == (Failure.TIMEOUT, step)


def test_a_server_that_takes_no_content_has_a_time_limit_too():
    rig = Rig().hello()
    stuck = Deferred()

    async def content():
        yield b"x\r\n"
        await stuck
        yield b"y\r\n"

    (deal,) = rig.result(rig.connection.deliver(message(None), content()), 8)
    assert (deal.failure, deal.step) == (Failure.TIMEOUT, Step.BODY)
    stuck.callback(None)
    rig.network.settle()
    assert not rig.peer.mails


def test_each_reply_starts_the_time_limit_anew():
    rig = Rig(Script(MAIL=After(9, "250 ok"), RCPT=After(9, "250 ok"), DATA=After(9, "354 go"))).hello()
    assert rig.result(rig.connection.deliver(message()), 40)[0].failure is None


@pytest.mark.parametrize(("per_request", "failure"), [(False, None), (True, Failure.TIMEOUT)])
def test_a_reply_that_trickles_in(per_request, failure):
    """smtp_per_request_deadline: the limit is the whole reply's, not that of each piece."""
    rig = Rig(Script(MAIL=HANG)).hello()
    rig.connection.per_request = per_request
    got = []
    rig.connection.deliver(message(last=True)).addBoth(got.append)
    rig.network.settle()
    for octets in (b"250-a\r\n", b"250-b\r\n", b"250 c\r\n"):
        rig.network.advance(6)
        if not got:
            rig.connection.dataReceived(octets)
            rig.network.settle()
    assert bool(got) is (failure is not None)
    if got:
        assert (got[0].failure, got[0].step) == (failure, Step.MAIL)


@pytest.mark.parametrize(("size", "failure"), [(100, Failure.TIMEOUT), (4000, None)])
def test_content_has_to_flow_at_some_rate(size, failure):
    """smtp_min_data_rate: content of 4000 octets in 12 seconds is enough for 1000 a second, as each piece adds its worth."""
    rig = Rig().hello()
    rig.connection.per_request, rig.connection.data_rate = True, 1000
    waits = [Deferred() for _ in range(3)]

    async def content():
        for wait in waits:
            yield b"x" * (size - 2) + b"\r\n"
            await wait

    got = []
    rig.connection.deliver(message(None), content()).addBoth(got.append)
    rig.network.settle()
    for wait in waits:
        rig.network.advance(4)
        rig.network.settle()
        wait.callback(None)
        rig.network.settle()
    assert got and got[0].failure is failure


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "DOT"])
def test_a_connection_lost_at_each_step(verb):
    rig = Rig(Script(**{verb: DROP})).hello()
    (deal,) = rig.result(rig.connection.deliver(message()))
    assert deal.failure is Failure.LOST and rig.gone == [rig.connection]


def test_a_message_on_a_connection_that_is_gone_fails_at_once():
    rig = Rig().hello()
    rig.peer.sessions[0].transport.loseConnection()
    rig.network.settle()
    (deal,) = rig.result(rig.connection.deliver(message()))
    assert (deal.failure, deal.answered) == (Failure.LOST, False)


def test_quit_leaves_without_waiting_for_the_answer():
    rig = Rig(Script(QUIT=HANG)).hello()
    rig.connection.quit()
    rig.network.settle()
    assert rig.peer.commands[0][-1] == "QUIT" and rig.peer.sessions[0].lost and rig.gone == [rig.connection]


def test_quit_waits_for_the_answer_if_it_is_told_to():
    rig = Rig(Script(QUIT=HANG)).hello()
    rig.connection.wait_for_quit = True
    rig.connection.quit()
    rig.network.settle()
    assert not rig.peer.sessions[0].lost
    for _ in range(12):
        rig.network.advance(1), rig.network.settle()
    assert rig.peer.sessions[0].lost


def test_quit_waits_its_turn_without_pipelining():
    rig = Rig(Script(RCPT="550 no", RSET=After(3, "250 ok")))
    rig.hello().connection.conversation.pipelining = False
    rig.result(rig.connection.deliver(message(last=True)))
    rig.connection.quit()
    rig.network.settle()
    assert rig.peer.commands[0][-1] == "RSET"
    rig.network.advance(3), rig.network.settle()
    assert rig.peer.commands[0][-1] == "QUIT" and rig.peer.sessions[0].lost


def test_an_idle_connection_ends_by_itself():
    rig = Rig().hello()
    rig.connection.idle_limit = 2.0
    rig.connection.rest()
    for _ in range(4):
        rig.network.advance(1), rig.network.settle()
    assert rig.peer.commands[0][-1] == "QUIT" and rig.gone == [rig.connection] and not rig.network.getDelayedCalls()


def test_odd_replies_are_remarked():
    rig = Rig(Script(MAIL="what\n250 ok")).hello()
    rig.result(rig.connection.deliver(message()))
    assert [reply.text for reply in rig.remarks] == ["what"]


@pytest.mark.parametrize(
    "number, text", [(errno.ECONNREFUSED, "Connection refused"), (errno.EHOSTUNREACH, "No route to host")]
)
def test_why_there_is_no_connection(number, text):
    network = MemoryNetwork({("192.0.2.1", 25): number})
    got = []
    call(network, ClientConnection(Conversation(), LIMITS, Sweep(network)), "192.0.2.1", 25, 30.0).addBoth(got.append)
    network.settle()
    assert got[0].check(ConnectFailed) and str(got[0].value) == text


def test_a_host_that_does_not_answer_has_its_time():
    network = MemoryNetwork({("192.0.2.1", 25): None})
    got = []
    call(network, ClientConnection(Conversation(), LIMITS, Sweep(network)), "192.0.2.1", 25, 30.0).addBoth(got.append)
    network.advance(29), network.settle()
    assert got == []
    network.advance(1), network.settle()
    assert str(got[0].value) == "Connection timed out"


def test_an_address_of_our_own_that_cannot_be_had():
    network = MemoryNetwork()
    network.unusable.add("192.0.2.99")
    got = []
    connection = ClientConnection(Conversation(), LIMITS, Sweep(network))
    call(network, connection, "192.0.2.1", 25, 30.0, "192.0.2.99").addBoth(got.append)
    network.settle()
    assert got[0].check(BindFailed) and str(got[0].value) == "Cannot assign requested address"


def test_a_socket_that_does_not_exist():
    network = MemoryNetwork()
    got = []
    call(network, ClientConnection(Conversation(), LIMITS, Sweep(network)), "/run/x", 0, 30.0).addBoth(got.append)
    network.settle()
    assert str(got[0].value) == "No such file or directory"
