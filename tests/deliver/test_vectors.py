"""Deliveries recorded with Postfix, made again by us in memory: the same commands, content and log lines."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

sys.path.insert(0, str(Path(__file__).parent.parent / "interop"))

from delivery import VECTORS, normal, observed, parse

from mailer.config.maincf import Entry
from mailer.config.settings import Settings
from mailer.deliver import discard
from mailer.deliver import error as error_service
from mailer.deliver.smtp.transport import build_lmtp, build_smtp
from mailer.interfaces.context import Context
from mailer.interfaces.transport import TransportUnavailable
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Client, Envelope, Notify, Recipient
from mailer.tables.opening import Tables
from mailer.testing.dns import FAILS, FakeResolver
from mailer.testing.log import RecordingLog
from mailer.testing.network import MemoryNetwork
from mailer.testing.peer import Peer

ALL = sorted(VECTORS.glob("*.txt"))


BUILD = {"lmtp": build_lmtp, "error": error_service.build, "retry": error_service.build, "discard": discard.build}


class Content:
    """A message in memory."""

    def __init__(self, octets):
        self.inline = octets
        self.size = len(octets)

    async def chunks(self, start=0):
        yield self.inline[start:]


class Outcomes:
    """Writes the log lines of a scheduler."""

    def __init__(self, log, soft_bounce):
        self.log = log
        self.soft_bounce = soft_bounce
        self.told = []
        self.unreachable_for = None

    def tell(self, recipient, outcome, shown=None):
        self.told.append((recipient, outcome))
        use = f" conn_use={outcome.conn_use}," if outcome.conn_use > 1 else ""
        original = f" orig_to=<{recipient.original}>," if recipient.original not in ("", recipient.address) else ""
        if self.soft_bounce and outcome.fate.value == "bounced":
            # What the scheduler makes of it.
            outcome = replace(outcome, status="4" + outcome.status[1:])
            word = "SOFTBOUNCE"
        else:
            word = outcome.fate.value
        self.log.info(
            f"QID: to=<{quoted(recipient.address)}>,{original} relay={outcome.relay},{use} dsn={outcome.status},"
            f" status={word} ({outcome.text})"
        )

    def partial(self, shown, outcome):
        raise AssertionError("SMTP delivers recipients whole")

    def unreachable(self, status, reason):
        self.unreachable_for = (status, reason)


def quoted(address):
    from mailer.message.address import quote

    return quote(address)


def unquoted(address):
    address = address.strip("<>")
    found = re.fullmatch(r'"(.*)"@(.*)', address)
    return f"{found.group(1)}@{found.group(2)}" if found else address


def words(line):
    """``address KEY=value ...`` with a quoted local part in one piece."""
    found = re.fullmatch(r'((?:"[^"]*"@)?\S+)(?: (.*))?', line)
    options = dict(option.partition("=")[::2] for option in (found.group(2) or "").split())
    return unquoted(found.group(1)), options


def unxtext(text):
    return re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match.group(1), 16)), text)


def envelope(given):
    sender, options = words(given.sender)
    return Envelope(
        sender,
        body=options.get("BODY", ""),
        smtputf8="SMTPUTF8" in options,
        ret=options.get("RET", ""),
        envid=unxtext(options.get("ENVID", "")),
        arrival=1e9,
        client=Client("unknown", "127.0.0.1", "PORT", helo="client.example", protocol="ESMTP"),
    )


def recipients(given):
    found = []
    for line in given.recipients:
        address, options = words(line)
        notify = Notify.UNSET
        for name in options.get("NOTIFY", "").split(","):
            notify |= Notify[name or "UNSET"]
        found.append(Recipient(address, address, notify, unxtext(options.get("ORCPT", ""))))
    return found


def zone(given):
    found = {}
    for line in given.dns:
        name, kind, *values = line.split()
        if kind == "FAIL":
            found[name] = FAILS
        elif kind == "NODATA":
            found.setdefault(name, {})
        elif kind == "MX":
            found.setdefault(name, {}).setdefault(kind, []).append((int(values[0]), values[1].rstrip(".")))
        else:
            found.setdefault(name, {}).setdefault(kind, []).append(values[0])
    return found


class Run:
    """One vector on its own network."""

    def __init__(self, given):
        self.log = RecordingLog()
        self.network = MemoryNetwork()
        self.peers = {}
        for address in given.addresses():
            scripts = given.scripts(address)
            host, _, port = address.rpartition(":")
            key = address if address.startswith("/") else (host.strip("[]"), int(port))
            if scripts == "silent":
                self.network.listeners[key] = None
            elif scripts != "refuse":
                self.peers[address] = self.network.listeners[key] = Peer(*scripts, clock=self.network)
        settings = Settings({name: Entry(name, value) for name, value in given.main_cf.items()})
        name, _, nexthop = given.nexthop.partition(":")
        self.context = Context(
            settings, self.network, lambda: 1e9 + self.network.seconds(), self.log, name,
            FakeResolver(zone(given), hosts={"inhosts.example": ["127.0.0.11"]}),         )  # fmt: skip
        self.context = replace(self.context, tables=Tables(self.context))
        self.network.unusable.add("192.0.2.77")
        self.transport = BUILD.get(name, build_smtp)(tuple(given.master.split()), self.context)
        self.outcomes = Outcomes(self.log, settings.soft_bounce)
        self.request = DeliveryRequest(
            "QID", envelope(given), Content(given.message), name, nexthop, recipients(given), 1e9, 1e9
        )

    def deliver(self):
        done = []
        Deferred.fromCoroutine(self.transport.deliver(self.request, self.outcomes)).addBoth(done.append)
        self.network.until(lambda: bool(done), 10_000)
        if done[0] is not None:
            done[0].raiseException()
        Deferred.fromCoroutine(self.transport.stop())
        self.network.settle()


def _severity(match):
    return f"{match.group(1)}: " if match.group(1) else ""


@pytest.mark.parametrize("path", ALL, ids=[path.stem for path in ALL])
def test_recorded_delivery(path):
    given = parse(path.read_text())
    run = Run(given)
    try:
        run.deliver()
    except TransportUnavailable:
        assert not run.outcomes.told
    log = ["L: " + normal(re.sub(r"^(?:info |(warning|fatal) )", _severity, line)) for line in run.log.lines]
    assert "\n".join([*observed(run.peers), *log]) == "\n".join(given.recorded)
