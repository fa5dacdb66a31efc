"""Every transport of this package keeps the contract."""

import pytest
from twisted.internet.defer import Deferred

from mailer.deliver.discard import DiscardTransport
from mailer.deliver.smtp.desk import Desk
from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.transport import SmtpTransport
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog
from mailer.testing.network import MemoryNetwork
from mailer.testing.peer import Peer, Script
from mailer.testing.transports import TransportContract


class TestDiscard(TransportContract):
    nexthop = "silently"

    def make_transport(self):
        return DiscardTransport(RecordingLog())

    def finish(self, coroutine):
        with pytest.raises(StopIteration):
            coroutine.send(None)


class Smtp(TransportContract):
    nexthop = "[192.0.2.1]:25"
    lmtp = False
    extensions = ("PIPELINING",)

    def setup_method(self):
        self.network = MemoryNetwork(window=4096)
        self.peer = Peer(Script(self.extensions, self.lmtp), clock=self.network)
        self.network.listeners["192.0.2.1", 25] = self.peer

    def make_transport(self):
        parameters = ClientParameters(lmtp=self.lmtp)
        return SmtpTransport(Desk(parameters, self.network, lambda: 1e9, RecordingLog(), FakeResolver()))

    def finish(self, coroutine):
        done = []
        Deferred.fromCoroutine(coroutine).addBoth(done.append)
        self.network.until(lambda: bool(done))
        if done[0] is not None:
            done[0].raiseException()

    def delivered(self):
        return [mail.content.replace(b"\r\n.", b"\r\n") for mail in self.peer.mails]


class TestSmtp(Smtp):
    pass


class TestSmtpLockstep(Smtp):
    extensions = ()


class TestLmtp(Smtp):
    nexthop = "inet:[192.0.2.1]:25"
    lmtp = True


class TestLmtpUnix(Smtp):
    nexthop = "unix:/run/lmtp"
    lmtp = True

    def setup_method(self):
        super().setup_method()
        self.network.listeners["/run/lmtp"] = self.peer
