"""Listening sockets across reloads: bound by one, served by another."""

import os
import socket

import pytest
from peers import free_port
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailer.config.load import from_text
from mailer.daemons.serving import Serving
from mailer.master.binding import Binding
from mailer.master.plan import make_plan
from mailer.master.sockets import CannotBind
from mailer.testing.log import RecordingLog


class Port:
    """What the reactor gives for an adopted socket."""

    def __init__(self, descriptor, factory):
        self.factory = factory
        self.name = os.readlink(f"/proc/self/fd/{descriptor}")
        self.listening = True

    def stopListening(self):
        self.listening = False


class Reactor(Clock):
    def __init__(self):
        super().__init__()
        self.ports = []

    def adoptStreamPort(self, descriptor, family, factory):
        factory.doStart()
        self.ports.append(Port(descriptor, factory))
        return self.ports[-1]

    @property
    def serving(self):
        return [port.factory.name for port in self.ports if port.listening]


class Factory:
    def __init__(self, name):
        self.name = name
        self.connections = set()
        self.starts = 0

    def doStart(self):
        self.starts += 1

    def doStop(self):
        self.starts -= 1


class Connection:
    def __init__(self, factory, patient=True):
        self.factory = factory
        self.transport = self
        self.told = self.aborted = False
        self.patient = patient
        factory.connections.add(self)

    def readConnectionLost(self):
        self.told = True
        if not self.patient:
            self.factory.connections.discard(self)

    def abortConnection(self):
        self.aborted = True
        self.factory.connections.discard(self)


@pytest.fixture
def listening(tmp_path):
    class Rig:
        reactor = Reactor()
        log = RecordingLog()

        def __init__(self):
            self.binding = Binding(self.log)
            self.serving = Serving(self.reactor, self.binding.sockets)

        def plan(self, *lines):
            main = f"queue_directory = {tmp_path}\ninet_protocols = ipv4\n"
            return make_plan(from_text(main, "\n".join(lines)), [], lambda name: [])

        def listen(self, factories):
            self.serving.listen(factories)
            self.binding.keep(name for listener in factories for name in listener.sockets)

        def use(self, name, *lines):
            """Bind and serve these master.cf lines. :return: the factories."""
            plan = self.plan(*lines)
            self.binding.bind(plan)
            factories = {listener: Factory(name) for listener in plan.listeners}
            self.listen(factories)
            return list(factories.values())

    (tmp_path / "public").mkdir()
    rig = Rig()
    yield rig
    rig.listen({})


def inet(port):
    return f"127.0.0.1:{port} inet n - n - - smtpd"


def test_a_port_that_stays_gets_its_new_factory_and_keeps_its_socket(listening):
    port = free_port()
    (old,) = listening.use("old", inet(port))
    waiting = socket.create_connection(("127.0.0.1", port), 5)  # in the kernel's queue, not accepted yet
    (new,) = listening.use("new", inet(port))
    assert listening.reactor.serving == ["new"] and len(listening.reactor.ports) == 1
    assert (old.starts, new.starts) == (0, 1)
    waiting.settimeout(0.2)
    with pytest.raises(TimeoutError):
        waiting.recv(1)
    waiting.close()


def test_ports_are_added_and_removed(listening):
    first, second = free_port(), free_port()
    listening.use("one", inet(first))
    listening.use("two", inet(first), inet(second))
    assert listening.reactor.serving == ["two", "two"]
    listening.use("three", inet(second))
    assert listening.reactor.serving == ["three"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", first), 5)
    socket.create_connection(("127.0.0.1", second), 5).close()


def test_a_port_that_cannot_be_had_changes_nothing(listening):
    mine, other = free_port(), free_port()
    listening.use("old", inet(mine))
    third = free_port()
    wanted = listening.plan(inet(mine), inet(third), inet(other))
    refusal = pytest.raises(CannotBind, match=f"bind .127.0.0.1.:{other}: Address already in use")
    with socket.create_server(("127.0.0.1", other)), refusal:
        listening.binding.bind(wanted)
    assert listening.reactor.serving == ["old"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", third), 5)


def test_unix_sockets_come_and_go(listening, tmp_path):
    listening.use("one", "in unix n - n - - smtpd", inet(free_port()))
    assert (tmp_path / "public/in").is_socket()
    listening.use("two", inet(free_port()))
    assert not (tmp_path / "public/in").exists()


def test_an_address_family_that_is_absent_is_said_and_left_out(listening, monkeypatch):
    def bind(address, port):
        if ":" in address:
            try:
                raise OSError(97, "Address family not supported by protocol")
            except OSError as error:
                raise CannotBind(f"bind [{address}]:{port}: {error.strerror}") from error
        return socket.create_server((address, 0))

    monkeypatch.setattr("mailer.master.binding.bind_inet", bind)
    plan = make_plan(from_text("inet_protocols = all\n", f"{free_port()} inet n - n - - smtpd"), [], lambda name: [])
    listening.binding.bind(plan)
    listening.listen({listener: Factory("x") for listener in plan.listeners})
    assert listening.reactor.serving == ["x"]
    assert any("IPv6 is not available, going on without" in line for line in listening.log.lines)


def test_the_end_waits_for_sessions_of_old_and_new_factories_but_not_for_ever(listening):
    port = free_port()
    (old,) = listening.use("old", inet(port))
    stuck, quick = Connection(old), Connection(old, patient=False)
    (new,) = listening.use("new", inet(port))
    third = Connection(new)
    ended = []
    coroutine = listening.serving.stop(10)
    Deferred.fromCoroutine(coroutine).addCallback(ended.append)
    assert listening.reactor.serving == [] and stuck.told and quick.told and third.told
    new.connections.discard(third)  # it has got its answer
    listening.reactor.pump([0.1] * 50)
    assert not ended and not stuck.aborted
    listening.reactor.pump([0.1] * 60)
    assert ended and stuck.aborted and not third.aborted
