"""A session's connection in memory: what it is told, when its replies leave, its limits."""

from __future__ import annotations

from typing import Any

from twisted.internet import task
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from mailer.interfaces.sink import IProducer
from mailer.net.server import Lost, ServerConnection, TimedOut
from mailer.net.sweep import Sweep


class Transport(StringTransport):
    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes) -> None:
        super().write(data)
        self.writes.append(data)

    def abortConnection(self) -> None:
        self.aborted = True


class Running:
    """A connection with a session of the test's making; ``heard`` is what that appends to."""

    def __init__(self, session: Any, **more: Any) -> None:
        self.clock = task.Clock()
        self.heard: list[Any] = []
        self.connection = ServerConnection(
            lambda connection: session(connection, self.heard), Sweep(self.clock), 10.0, **more
        )
        self.transport = Transport()
        self.connection.makeConnection(self.transport)
        self.receive = self.connection.dataReceived

    def lose(self) -> None:
        self.connection.connectionLost(Failure(ConnectionDone()))


async def echo(connection: ServerConnection, heard: list[Any]) -> None:
    """Repeats every line until it is told why there are no more."""
    try:
        while True:
            line = await connection.line()
            heard.append(line)
            connection.reply(line + b"!\r\n")
            if line == b"quit":
                return
    except (Lost, TimedOut) as error:
        heard.append(type(error))


async def store(connection: ServerConnection, heard: list[Any]) -> None:
    """Takes content."""
    connection.machine.expect_data()
    connection.begin_message()
    try:
        while not connection.machine.reader.ended:
            heard.append(await connection.content())
    except (Lost, TimedOut) as error:
        heard.append(type(error))


def test_is_a_producer_for_sinks() -> None:
    verifyObject(IProducer, Running(echo).connection)


def test_replies_to_one_chunk_leave_together() -> None:
    run = Running(echo)
    run.receive(b"a\r\nb\r\nc")
    assert run.transport.writes == [b"a!\r\nb!\r\n"]
    run.receive(b"\r\n")
    assert run.transport.writes[1:] == [b"c!\r\n"]


def test_the_end_of_the_session_closes() -> None:
    run = Running(echo)
    run.receive(b"quit\r\nmore\r\n")
    assert run.heard == [b"quit"]
    assert run.transport.value() == b"quit!\r\n"
    assert run.transport.disconnecting and run.transport.producer is None


def test_input_is_used_up_before_the_loss_is_told() -> None:
    gate: Any = []

    async def slow(connection: ServerConnection, heard: list[Any]) -> None:
        from twisted.internet.defer import Deferred

        gate.append(Deferred())
        heard.append(await connection.line())
        await gate[0]
        await echo(connection, heard)

    run = Running(slow)
    run.receive(b"a\r\nb\r\nhalf")
    run.lose()
    assert run.heard == [b"a"]
    gate[0].callback(None)
    assert run.heard == [b"a", b"b", Lost]
    assert run.transport.value() == b""


def test_a_peer_that_only_stops_sending_still_gets_its_replies() -> None:
    async def late(connection: ServerConnection, heard: list[Any]) -> None:
        try:
            await echo(connection, heard)
        finally:
            connection.reply(b"bye\r\n")

    run = Running(late)
    run.receive(b"a\r\n")
    run.connection.readConnectionLost()
    assert run.heard == [b"a", Lost]
    assert run.transport.value() == b"a!\r\nbye\r\n"
    assert run.transport.disconnecting


def test_silence_times_out_and_input_restarts_the_clock() -> None:
    run = Running(echo)
    run.clock.advance(9)
    run.receive(b"a\r\nhal")
    for _ in range(9):
        run.clock.advance(1)
    assert run.heard == [b"a"]
    run.receive(b"f")
    for _ in range(9):
        run.clock.advance(1)
    assert run.heard == [b"a"]
    for _ in range(2):
        run.clock.advance(1)
    assert run.heard == [b"a", TimedOut]
    assert run.transport.disconnecting


def test_a_deadline_for_the_whole_request_is_not_moved_by_dribbling() -> None:
    run = Running(echo, per_request=True)
    for _ in range(12):
        run.receive(b"x")
        run.clock.advance(1)
    assert run.heard == [TimedOut]


def test_content_at_a_decent_rate_moves_the_deadline() -> None:
    run = Running(store, per_request=True, data_rate=100)
    for _ in range(30):
        run.receive(b"x" * 100)
        run.clock.advance(1)
    assert TimedOut not in run.heard
    slow = Running(store, per_request=True, data_rate=100)
    for _ in range(30):
        slow.receive(b"x" * 20)
        slow.clock.advance(1)
    assert slow.heard[-1] is TimedOut


def test_a_busy_session_stops_the_peer() -> None:
    from twisted.internet.defer import Deferred

    gate: Deferred[None] = Deferred()

    async def busy(connection: ServerConnection, heard: list[Any]) -> None:
        await connection.line()
        await gate
        await echo(connection, heard)

    run = Running(busy)
    run.receive(b"a\r\n")
    for _ in range(20):
        if run.transport.producerState != "paused":
            run.receive(b"n\r\n" * 3000)
    assert run.transport.producerState == "paused"
    assert run.connection.machine.pending <= 65536 + 9000
    gate.callback(None)
    assert run.transport.producerState == "producing"
    assert len(run.heard) > 20_000 and run.connection.machine.pending == 0


def test_a_sink_may_hold_the_peer_up_without_timing_it_out() -> None:
    run = Running(store)
    run.receive(b"one")
    run.connection.pause()
    assert run.transport.producerState == "paused"
    for _ in range(30):
        run.clock.advance(1)
    assert run.heard == [b"one"]
    run.connection.resume()
    assert run.transport.producerState == "producing"
    run.receive(b"two\r\n.\r\n")
    assert run.heard == [b"one", b"two\r\n"]


def test_a_peer_that_does_not_read_is_not_read_from_and_then_dropped() -> None:
    run = Running(echo)
    run.connection.pauseProducing()
    assert run.transport.producerState == "paused"
    for _ in range(12):
        run.clock.advance(1)
    assert run.heard == [TimedOut]
    assert run.transport.disconnecting and not run.transport.aborted
    for _ in range(40):
        run.clock.advance(1)
    assert run.transport.aborted


def test_many_commands_wait_for_a_peer_that_does_not_read() -> None:
    run = Running(echo)

    def write(octets: bytes) -> None:
        run.transport.writes.append(octets)
        run.connection.pauseProducing()

    run.transport.write = write  # type: ignore[method-assign]
    run.receive(b"n\r\n" * 5000)
    assert len(run.heard) < 200
    while len(run.heard) < 5000:
        run.connection.resumeProducing()
    assert run.heard == [b"n"] * 5000


def test_sleep_keeps_replies_and_ends_with_the_connection() -> None:
    async def sleepy(connection: ServerConnection, heard: list[Any]) -> None:
        connection.reply(b"late\r\n")
        await connection.sleep(5)
        heard.append("awake")
        await echo(connection, heard)

    run = Running(sleepy)
    run.receive(b"a\r\n")
    assert run.transport.value() == b"" and run.heard == []
    run.clock.advance(5)
    assert run.heard == ["awake", b"a"] and run.transport.value() == b"late\r\na!\r\n"
    other = Running(sleepy)
    other.lose()
    assert other.heard == ["awake", Lost]


def test_nothing_is_left_on_the_clock() -> None:
    run = Running(echo)
    run.receive(b"a\r\n")
    run.lose()
    assert run.heard[-1] is Lost
    assert run.clock.getDelayedCalls() == []


def test_a_session_that_breaks_is_reported_and_closed() -> None:
    from twisted.logger import globalLogPublisher

    async def broken(connection: ServerConnection, heard: list[Any]) -> None:
        await connection.line()
        raise ZeroDivisionError

    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        run = Running(broken)
        run.receive(b"a\r\n")
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert run.transport.disconnecting
    assert [event["log_failure"].type for event in events if "log_failure" in event] == [ZeroDivisionError]
