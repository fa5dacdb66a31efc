"""What sending a 4 KB message costs in CPU, in memory: the conversation alone, and a whole delivery on a kept connection.

Run as ``python benchmarks/wire_client.py [messages]``; prints microseconds of CPU per message. The server is a few fixed
replies, so nearly all the time is ours.
"""

from __future__ import annotations

import contextlib
import sys
import time

from twisted.internet.task import Clock

from mailer.deliver.smtp.desk import Desk
from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.transport import SmtpTransport
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Envelope, Recipient
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog
from mailer.wire.smtp.client import Conversation, Transaction
from mailer.wire.smtp.stuffing import Stuffer

MESSAGE = b"From: a@example.org\r\nTo: b@example.com\r\nSubject: benchmark\r\n\r\n" + (b"x" * 70 + b"\r\n") * 56
GREETING = b"220 peer.example ESMTP\r\n"
HELLO = (
    b"250-peer.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 DSN\r\n"
)
ENVELOPE = b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"
DONE = b"250 2.0.0 Ok: queued as 4Xk3yK2Wz1z9rkC\r\n"


class Content:
    inline = MESSAGE
    size = len(MESSAGE)


class Transport:
    """Answers whatever is written, when asked to."""

    connected = True

    def __init__(self) -> None:
        self.pending: list[bytes] = [GREETING]

    def write(self, data: bytes) -> None:
        if data.startswith(b"EHLO"):
            self.pending.append(HELLO)
        elif data.startswith(b"MAIL"):
            self.pending.append(ENVELOPE)
        else:
            self.pending.append(DONE)

    def loseConnection(self) -> None:
        self.connected = False


class Network(Clock):
    def connectTCP(self, host, port, factory, timeout, bind=None):
        self.transport = Transport()
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    def work(self) -> None:
        pending = self.transport.pending
        while pending:
            self.protocol.dataReceived(pending.pop(0))


class Outcomes:
    told = 0

    def tell(self, recipient, outcome):
        self.told += 1

    def unreachable(self, status, reason):
        raise AssertionError(reason)


def conversation(count: int) -> float:
    talk = Conversation()
    talk.feed(GREETING)
    talk.pipelining = True
    begun = time.process_time()
    for _ in range(count):
        stuffer = Stuffer(998)
        body = stuffer.feed(MESSAGE) + stuffer.finish()
        talk.begin(Transaction(b"MAIL FROM:<a@example.org>", [b"RCPT TO:<b@example.com>"], body))
        talk.take()
        talk.feed(ENVELOPE)
        talk.take()
        events = talk.feed(DONE)
        assert events[0][1].replies[0].code == 250
    return (time.process_time() - begun) / count * 1e6


def delivery(count: int) -> float:
    network, outcomes = Network(), Outcomes()
    desk = Desk(ClientParameters(), network, time.time, RecordingLog(), FakeResolver())
    transport = SmtpTransport(desk)
    recipients = [Recipient("b@example.com", "b@example.com")]

    def one() -> None:
        request = DeliveryRequest(
            "4Xk3yK2Wz1z9rkC", Envelope("a@example.org"), Content(), "smtp", "[192.0.2.1]", recipients, busy=True
        )
        # Driven as the scheduler does it: resumed by whatever Deferred it waits for.
        send = transport.deliver(request, outcomes).send

        def go_on(_: object) -> None:
            with contextlib.suppress(StopIteration):
                send(None).addBoth(go_on)

        go_on(None)
        network.work()

    one()
    begun = time.process_time()
    for _ in range(count):
        one()
    spent = time.process_time() - begun
    assert outcomes.told == count + 1
    return spent / count * 1e6


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    for measure in (conversation, delivery):
        print(f"{measure.__name__}: {min(measure(count) for _ in range(3)):.1f} us of CPU per message")


if __name__ == "__main__":
    main()
