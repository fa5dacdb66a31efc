"""The channel between master and a daemon."""

import os
import socket

import pytest

from mailer.master.control import PACKET, Broken, Channel, pair, receive, send


class Reactor:
    """Which descriptors somebody waits for."""

    def __init__(self):
        self.readers, self.writers = set(), set()

    def addReader(self, reader):
        self.readers.add(reader)

    def removeReader(self, reader):
        self.readers.discard(reader)

    def addWriter(self, writer):
        self.writers.add(writer)

    def removeWriter(self, writer):
        self.writers.discard(writer)


@pytest.fixture
def ends():
    one, other = pair()
    yield one, other
    one.close()
    other.close()


@pytest.fixture
def channel(ends):
    class Rig:
        reactor = Reactor()
        peer = ends[1]
        received = []
        lost = []

    rig = Rig()
    rig.received, rig.lost = [], []
    rig.channel = Channel(ends[0], rig.reactor, lambda *packet: rig.received.append(packet), rig.lost.append)
    return rig


def test_a_packet_brings_its_descriptors(ends, tmp_path):
    (tmp_path / "f").write_text("x")
    descriptor = os.open(tmp_path / "f", os.O_RDONLY)
    send(ends[0], {"type": "birth", "name": "smtpd.0"}, [descriptor, descriptor])
    send(ends[0], {"type": "listen"})
    os.close(descriptor)
    message, descriptors = receive(ends[1])
    assert message == {"type": "birth", "name": "smtpd.0"}
    assert [os.read(one, 1) for one in descriptors] == [b"x", b""]  # the same open file, twice
    assert not any(os.get_inheritable(one) for one in descriptors)
    for one in descriptors:
        os.close(one)
    assert receive(ends[1]) == ({"type": "listen"}, [])


def test_the_end_and_nonsense(ends):
    for nonsense in (b"{", b"[]", b"{}", b'{"type": 1}', b"\xff"):
        ends[0].send(nonsense)
        with pytest.raises(Broken):
            receive(ends[1])
    ends[0].send(b"x" * (PACKET + 1))
    with pytest.raises(Broken, match="too long"):
        receive(ends[1])
    ends[0].close()
    assert receive(ends[1]) is None


def test_descriptors_of_nonsense_are_closed(ends):
    before = len(os.listdir("/proc/self/fd"))
    socket.send_fds(ends[0], [b"nonsense"], [0, 1, 2])
    with pytest.raises(Broken):
        receive(ends[1])
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_packet_that_is_too_long_is_the_senders_fault(ends):
    with pytest.raises(ValueError, match="birth"):
        send(ends[0], {"type": "birth", "text": "x" * PACKET})


def test_packets_are_given_in_order_until_the_other_side_goes(channel):
    for number in range(120):
        send(channel.peer, {"type": "n", "number": number})
    while len(channel.received) < 120:
        channel.channel.doRead()
    assert [message["number"] for message, _ in channel.received] == list(range(120))
    channel.peer.close()
    channel.channel.doRead()
    channel.channel.doRead()
    assert channel.lost == ["hung up"] and not channel.reactor.readers


def test_a_peer_that_does_not_read_makes_packets_wait_with_their_descriptors(channel):
    with open("/dev/null") as file:
        count = 0
        while not channel.reactor.writers:
            channel.channel.send("log", [file.fileno()], text="x" * 10000)
            count += 1
        channel.channel.send("last")
    while channel.reactor.writers or count:
        message, descriptors = receive(channel.peer)
        assert message["type"] == "log" and len(descriptors) == 1
        os.close(descriptors[0])
        count -= 1
        channel.channel.doWrite()
    assert receive(channel.peer)[0] == {"type": "last"}


def test_a_peer_that_never_reads_is_given_up(channel):
    for _ in range(3000):
        channel.channel.send("status")
    assert channel.lost == ["the other side does not read"]
    channel.channel.send("status")  # forgotten


def test_nonsense_ends_the_channel(channel):
    channel.peer.send(b"nonsense")
    channel.channel.doRead()
    assert channel.lost == ["a packet that is no JSON"]


def test_who_hangs_up_is_told_nothing_more(channel):
    channel.channel.close()
    channel.channel.doRead()
    assert channel.lost == [] and channel.channel.fileno() == -1
