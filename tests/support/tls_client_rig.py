"""An SMTP or LMTP client service with TLS, a server and a network in memory, for tests of what TLS leads to."""

from __future__ import annotations

import re

from certificates import both
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, ServerFactory

from mailer.config.maincf import Entry
from mailer.config.settings import Settings
from mailer.deliver.smtp.transport import build_lmtp, build_smtp
from mailer.interfaces.context import Context
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Envelope, Recipient
from mailer.tables.opening import Tables, table_types
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog
from mailer.testing.network import MemoryNetwork
from mailer.testing.peer import Peer, Script
from mailer.testing.transports import MemoryContent, RecordingOutcomes
from mailer.tls.certificates import install, parse_chain
from mailer.tls.layer import TlsFailed, TlsLayer

TYPES = table_types()
ZONE = {"mx.a.test": {"A": ["192.0.2.1"]}, "a.test": {"MX": [(10, "mx.a.test")]}}
RELAY = "mx.a.test[192.0.2.1]:25"
READY = "220 2.0.0 Ready to start TLS"
MX = {"name": "mx.a.test", "names": ("mx.a.test",)}
SUMMARY = re.compile(
    r"TLSv1\.3 with cipher TLS_AES_256_GCM_SHA384 \(256/256 bits\) key-exchange X25519\w*"
    r" server-signature ECDSA \(prime256v1\) server-digest SHA256"
)


class Encrypting(Protocol):
    """Stands between a scripted session and the network; TLS begins behind the answer to STARTTLS, or at once."""

    def __init__(self, inner, context, wrapper):
        self.inner, self.context = inner, context
        self.layer = None
        self.wrapper = wrapper
        self.disconnecting = False

    def connectionMade(self):
        if self.wrapper:
            self.layer = TlsLayer(self.context, True)
            self.waiting = True
        else:
            self.inner.makeConnection(self)

    def connectionLost(self, reason=None):
        self.inner.lost = True

    def dataReceived(self, data):
        if self.layer is None:
            if self.context or self.inner.commands[-1:] != ["STARTTLS"]:
                self.inner.dataReceived(data)
            return
        try:
            octets = self.layer.receive(data)
        except TlsFailed:
            self.transport.write(self.layer.take())
            self.transport.loseConnection()
            return
        self.transport.write(self.layer.take())
        if self.wrapper and self.layer.established and self.waiting:
            self.waiting = False
            self.inner.makeConnection(self)
        if octets:
            self.inner.dataReceived(octets)

    def write(self, data):
        if self.layer is not None:
            self.layer.send(data)
            data = self.layer.take()
        self.transport.write(data)
        if self.layer is None and self.inner.commands[-1:] == ["STARTTLS"] and data[:1] == b"2" and self.context:
            self.layer = TlsLayer(self.context, True)

    def loseConnection(self):
        self.transport.loseConnection()


class TlsPeer(ServerFactory):
    """:param chain: the server's key and certificate; b"" for one that says that it is ready and then closes."""

    noisy = False

    def __init__(self, *scripts, chain=None, wrapper=False, highest=0, garbage=False):
        self.peer = Peer(*(scripts or (Script(extensions=("STARTTLS", "8BITMIME"), STARTTLS=READY),)))
        self.wrapper = wrapper
        self.ends = []
        self.context = SSL.Context(SSL.TLS_METHOD)
        self.context.set_max_proto_version(highest)
        install(self.context, parse_chain(chain or both(**MX), "peer"))

    def buildProtocol(self, addr):
        end = Encrypting(self.peer.buildProtocol(addr), self.context, self.wrapper)
        self.ends.append(end)
        return end


class Rig:
    """One client service with ``settings``, one server."""

    def __init__(self, peer=None, lmtp=False, resolver=None, **settings):
        prefix = "lmtp" if lmtp else "smtp"
        given = {"compatibility_level": "3.6", "myhostname": "client.test", f"{prefix}_tls_loglevel": "1", **settings}
        given.setdefault(f"{prefix}_tls_security_level", "may")
        self.network = MemoryNetwork()
        self.peer = self.network.listeners["192.0.2.1", 25] = peer or TlsPeer()
        self.log = RecordingLog()
        context = Context(
            Settings({name: Entry(name, value) for name, value in given.items()}), self.network, lambda: 1e9, self.log,
            dns=resolver or FakeResolver(ZONE), connections=self.network,
        )  # fmt: skip
        tables = Tables(context, types=TYPES)
        context = Context(
            context.settings, self.network, context.seconds, self.log, dns=context.dns, tables=tables,
            connections=self.network,
        )  # fmt: skip
        self.transport = (build_lmtp if lmtp else build_smtp)((), context)
        self.outcomes = None

    def deliver(self, nexthop="a.test", waited=0.0, seconds=0, busy=False):
        """:return: the fate of the recipient with status, relay and text."""
        self.outcomes, done = RecordingOutcomes(), []
        request = DeliveryRequest(
            "QID", Envelope("s@x.test", arrival=1e9 - waited), MemoryContent(b"Subject: x\r\n\r\nx\r\n"), "smtp",
            nexthop, [Recipient("r@a.test")], activated=1e9, busy=busy,
        )  # fmt: skip
        Deferred.fromCoroutine(self.transport.deliver(request, self.outcomes)).addBoth(done.append)
        self.network.settle()
        if seconds:
            self.network.until(lambda: done, seconds)
        assert done == [None], done
        ((_, outcome),) = self.outcomes.told
        return f"{outcome.fate.value} {outcome.status} {outcome.relay} {outcome.text}"

    @property
    def commands(self):
        return self.peer.peer.commands


SENT = f"sent 2.0.0 {RELAY} 250 2.0.0 Ok: queued as 12345"
NOT_VERIFIED = f"deferred 4.7.5 {RELAY} Server certificate not verified"


def established(rig):
    found = [line for line in rig.log.lines if "TLS connection established" in line]
    for line in found:
        assert SUMMARY.search(line), line
    return [line.split()[1] for line in found]
