"""The queue over a socket: listing and flushing for those who may not touch it."""

import json

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from mailer.message.envelope import Envelope, Recipient
from mailer.queue.control import QueueControlFactory
from mailer.testing.queue import MemoryQueue
from mailer.testing.queue_contract import RecordingConsumer
from mailer.testing.tables import answer


class Abortable(StringTransport):
    aborted = False

    def abortConnection(self):
        self.aborted = True
        self.loseConnection()


@pytest.fixture
def desk():
    clock = Clock()
    queue = MemoryQueue(clock.seconds)
    consumer = RecordingConsumer()
    queue.subscribe(consumer)

    def connect():
        protocol = QueueControlFactory(queue, clock).buildProtocol(None)
        transport = Abortable()
        protocol.makeConnection(transport)
        return protocol, transport

    class Desk:
        pass

    desk = Desk()
    desk.clock, desk.queue, desk.consumer, desk.connect = clock, queue, consumer, connect
    return desk


def put(queue, address="r@example.org"):
    writer = queue.open(Envelope("s@example.com"))
    writer.recipient(Recipient(address))
    writer.write(b"x\r\n")
    return answer(writer.commit())


@pytest.mark.parametrize("pieces", [[b"list\n"], [b"l", b"i", b"s", b"t", b"\r", b"\n"], [b"list\nmore"]])
def test_listing(desk, pieces):
    first, second = put(desk.queue), put(desk.queue)
    desk.queue.entries[second].state = "corrupt"
    protocol, transport = desk.connect()
    for piece in pieces:
        protocol.dataReceived(piece)
    rows = [json.loads(line) for line in transport.value().splitlines()]
    assert [(row["queue_id"], row["queue_name"]) for row in rows] == [(first, "active")]
    assert transport.disconnecting and not transport.aborted


def test_a_slow_reader_gets_no_more_than_it_reads(desk):
    ids = [put(desk.queue) for _ in range(10)]
    protocol, transport = desk.connect()
    protocol.pauseProducing()
    protocol.dataReceived(b"list\n")
    assert len(transport.value().splitlines()) == 1
    protocol.resumeProducing()
    assert [json.loads(line)["queue_id"] for line in transport.value().splitlines()] == ids


def test_a_reader_that_takes_nothing_is_dropped(desk):
    put(desk.queue)
    protocol, transport = desk.connect()
    protocol.pauseProducing()
    protocol.dataReceived(b"list\n")
    desk.clock.advance(61)
    assert transport.aborted
    protocol.connectionLost()
    assert not desk.clock.getDelayedCalls()


@pytest.mark.parametrize("request_", [b"flush\n", b"flush-id %s\n", b"flush-site Example.org\n"])
def test_flushing(desk, request_):
    queue_id = put(desk.queue)
    desk.queue.defer(queue_id, 1000.0)
    protocol, transport = desk.connect()
    protocol.dataReceived(request_.replace(b"%s", queue_id.encode()))
    assert transport.value() == b"ok\n"
    assert desk.queue.entries[queue_id].next_attempt == 0.0
    assert desk.consumer.calls == [True]


@pytest.mark.parametrize("request_", [b"\n", b"delete ALL\n", b"flush-id ../x\n", b"list everything\n", b"\xff\xfe\n"])
def test_anything_else_is_no_request(desk, request_):
    queue_id = put(desk.queue)
    desk.queue.defer(queue_id, 1000.0)
    protocol, transport = desk.connect()
    protocol.dataReceived(request_)
    assert transport.value() == b"" and transport.disconnecting
    assert desk.queue.entries[queue_id].next_attempt == 1000.0


def test_a_line_without_end(desk):
    protocol, transport = desk.connect()
    protocol.dataReceived(b"x" * 1001)
    assert transport.aborted
