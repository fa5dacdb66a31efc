"""Inherited listening sockets: their names stay, and bursts are shared."""

import os
import socket

import pytest
from twisted.internet import reactor, tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from mailer.net.sharing import adopt, prepare

GONE = Failure(ConnectionDone())


@pytest.fixture
def bound(tmp_path):
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    sock.bind(str(tmp_path / "s"))
    os.chmod(tmp_path / "s", 0o600)
    sock.listen(100)
    yield sock, tmp_path / "s"
    sock.close()


class Counting(Factory):
    noisy = False
    made = 0

    def buildProtocol(self, address):
        self.made += 1
        return Protocol()


def clients(path, count):
    found = []
    for _ in range(count):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        client.connect(str(path))
        found.append(client)
    return found


def test_the_name_and_mode_stay_when_it_is_served_and_when_it_is_not(bound):
    sock, path = bound
    port = adopt(reactor, sock, Counting())
    assert path.stat().st_mode & 0o777 == 0o600
    port.connectionLost(GONE)
    assert path.exists()
    more = adopt(reactor, sock, Counting())
    more.connectionLost(GONE)


@pytest.mark.parametrize(("one_by_one", "accepted"), [(True, [1, 2, 3]), (False, [5, 5, 5])])
def test_one_connection_at_a_time(bound, one_by_one, accepted):
    sock, path = bound
    factory = Counting()
    port = adopt(reactor, sock, factory, one_by_one)
    waiting = clients(path, 5)
    counts = []
    for _ in range(3):
        port.doRead()
        counts.append(factory.made)
    assert counts == accepted
    port.connectionLost(GONE)
    for client in waiting:
        client.close()
    for selectable in reactor.removeAll():
        selectable.connectionLost(GONE)


def test_tcp_as_well():
    sock = socket.socket()
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    sock.listen(10)
    factory = Counting()
    port = adopt(reactor, sock, factory, True)
    waiting = [socket.create_connection(sock.getsockname()) for _ in range(3)]
    port.doRead()
    assert factory.made == 1
    port.doRead()
    assert factory.made == 2
    port.connectionLost(GONE)
    sock.close()
    for client in waiting:
        client.close()
    for selectable in reactor.removeAll():
        selectable.connectionLost(GONE)


def test_who_stops_does_not_end_it_for_others(bound):
    sock, path = bound
    port = adopt(reactor, sock, Counting())
    port.stopListening()
    port.connectionLost(GONE)
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    client.close()


def test_the_descriptor_in_reserve_needs_no_file_later(monkeypatch):
    prepare()
    reserved = tcp._reservedFD
    monkeypatch.setattr("builtins.open", None)
    with reserved:
        assert not reserved.available()
    assert reserved.available()
