"""Run in a process of its own by tests/deliver/test_loopback.py: real sockets, a real reactor, one line for each fact."""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from mailer.deliver.smtp.desk import Desk
from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.transport import SmtpTransport
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Envelope, Recipient
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog
from mailer.testing.peer import Peer, Script
from mailer.testing.transports import MemoryContent, RecordingOutcomes

SMALL = b"Subject: x\r\n\r\nhello\r\n"
LARGE = b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 50_000


async def deliver(transport, nexthop, content, count=1):
    requests = [
        DeliveryRequest("QID", Envelope("s@x.example"), content, "t", nexthop, [Recipient("a@x.example")], busy=True)
        for _ in range(count)
    ]
    outcomes = [RecordingOutcomes() for _ in requests]
    running = [
        Deferred.fromCoroutine(transport.deliver(request, told))
        for request, told in zip(requests, outcomes, strict=True)
    ]
    for each in running:
        await each
    return [(told[1].fate.value, told[1].text) for each in outcomes for told in each.told]


def transport(lmtp=False):
    parameters = ClientParameters(lmtp=lmtp, connect_timeout=5.0)
    return SmtpTransport(Desk(parameters, reactor, time.time, RecordingLog(), FakeResolver()))


async def main(directory):
    tcp, unix = Peer(clock=reactor), Peer(Script(lmtp=True), clock=reactor)
    port = reactor.listenTCP(0, tcp, interface="127.0.0.1")
    reactor.listenUNIX(f"{directory}/lmtp", unix)
    number = port.getHost().port
    smtp, lmtp = transport(), transport(True)
    for _ in range(3):
        print("smtp", {fate for fate, _ in await deliver(smtp, f"[127.0.0.1]:{number}", MemoryContent(SMALL), 10)})
    print("large", await deliver(smtp, f"[127.0.0.1]:{number}", MemoryContent(LARGE, False)))
    print("lmtp", await deliver(lmtp, f"unix:{directory}/lmtp", MemoryContent(SMALL)))
    print("missing", await deliver(lmtp, f"unix:{directory}/nothing", MemoryContent(SMALL)))
    await port.stopListening()
    closed = transport()
    print("refused", await deliver(closed, f"[127.0.0.1]:{number}", MemoryContent(SMALL)))
    for each in (smtp, lmtp, closed):
        await each.stop()
    while not all(session.lost for peer in (tcp, unix) for session in peer.sessions):
        await deferLater(reactor, 0.01, lambda: None)
    print("sizes", sorted({len(mail.content) for mail in tcp.mails}) == [len(SMALL), len(LARGE)], len(tcp.mails))
    print("left", {commands[-1] for commands in (*tcp.commands, *unix.commands)})


def begin(directory):
    done = Deferred.fromCoroutine(main(directory))
    done.addErrback(lambda failure: print(failure.getTraceback()))
    done.addBoth(lambda _: reactor.stop())


if __name__ == "__main__":
    with TemporaryDirectory(prefix="lb", dir="/tmp") as directory:
        reactor.callLater(20, sys.exit, "took too long")
        reactor.callWhenRunning(begin, Path(directory))
        reactor.run()
