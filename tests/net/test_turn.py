"""The reactor's own turns: connections work, a fault stays with its connection, other reactors are left alone."""

import pytest
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.python import log

from mailer.net.turn import quicken

epollreactor = pytest.importorskip("twisted.internet.epollreactor", reason="no epoll here")


class Echo(Protocol):
    def dataReceived(self, data):
        if data == b"fault":
            raise ValueError("a fault")
        self.transport.write(data)


class Talk(Protocol):
    """Says what its factory wants; notes the answer or the end."""

    def connectionMade(self):
        self.transport.write(self.factory.says)

    def dataReceived(self, data):
        self.factory.heard.append(data)
        self.transport.loseConnection()

    def connectionLost(self, reason):
        self.factory.ended()


@pytest.fixture
def reactor():
    made = epollreactor.EPollReactor()
    assert quicken(made)
    yield made
    made._poller.close()


def talk(reactor, *sayings):
    """:return: what was heard on as many connections, after all of them have ended."""
    port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
    heard, left = [], list(sayings)

    def ended():
        left.pop()
        if not left:
            reactor.stop()

    for saying in sayings:
        factory = ClientFactory.forProtocol(Talk)
        factory.noisy = False
        factory.says, factory.heard, factory.ended = saying, heard, ended
        reactor.connectTCP("127.0.0.1", port.getHost().port, factory)
    reactor.callLater(10, reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert not left
    return heard


def test_connections_are_served(reactor):
    assert sorted(talk(reactor, b"one", b"two", b"three")) == [b"one", b"three", b"two"]


def test_timed_calls_and_calls_from_threads_come(reactor):
    came = []
    reactor.callLater(0.01, came.append, "later")
    reactor.callInThread(reactor.callFromThread, came.append, "thread")
    reactor.callLater(0.05, reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert sorted(came) == ["later", "thread"]


def test_a_fault_is_reported_and_ends_its_connection_alone(reactor):
    faults = []

    def observe(event):
        if event["isError"]:
            faults.append(event["failure"].value)

    log.addObserver(observe)
    try:
        assert talk(reactor, b"fault", b"one") == [b"one"]
    finally:
        log.removeObserver(observe)
    assert [str(fault) for fault in faults] == ["a fault"]


def test_what_fails_outside_a_connection_is_reported_as_well(reactor):
    class Broken:
        def fileno(self):
            raise OSError("no descriptor")

    faults = []

    def observe(event):
        if event["isError"]:
            faults.append(str(event["failure"].value))

    # Twisted reports it, fails once more when it takes the descriptor out, and leaves that to the caller.
    reactor._selectables[reactor.waker.i] = Broken()
    reactor.wakeUp()
    log.addObserver(observe)
    try:
        reactor.doIteration(1)
    finally:
        log.removeObserver(observe)
    assert faults == ["no descriptor"] * 2


def test_other_reactors_are_left_alone():
    for other in (Clock(), SelectReactor()):
        assert not quicken(other)
    assert SelectReactor.doIteration is SelectReactor.doSelect
