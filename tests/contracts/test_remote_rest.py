"""Counters, tables, ETRN and address verification behind a call: the same answers as without one."""

from functools import partial

import pytest
from twisted.internet.defer import Deferred

from mailer.interfaces.table import TableOptions
from mailer.ipc.client import Client
from mailer.ipc.counting import AnvilService, RemoteAnvil
from mailer.ipc.flushing import FlushService, RemoteFlush
from mailer.ipc.lookups import LookupService, RemoteTable
from mailer.ipc.server import CallServer
from mailer.ipc.verifying import RemoteVerifier, VerifyService
from mailer.message.status import TemporaryError
from mailer.message.verification import Known, Verification
from mailer.receive.anvil import Anvil
from mailer.testing.network import MemoryNetwork
from mailer.testing.tables import BrokenTable, MemoryTable, TableContract

PATH = "mailer/private/qmgr"


class Remote:
    """Any number of processes that call one."""

    def __init__(self, service):
        self.network = MemoryNetwork()
        self.service = service
        self.restart(service)

    def restart(self, service):
        self.calls = []  # those that want an answer
        verbs = {verb: partial(self.note, execute) for verb, execute in service.verbs.items()}
        self.server = self.network.listeners[PATH] = CallServer(self.network, verbs)

    def note(self, execute, call):
        if call.number:
            self.calls.append(call)
        execute(call)

    def client(self):
        return Client(self.network, PATH, "qmgr")

    def ask(self, coroutine):
        results = []
        Deferred.fromCoroutine(coroutine).addBoth(results.append)
        self.network.settle()
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    def lose(self, caller=None):
        for each in [caller] if caller else list(self.server.callers):
            each.transport.abortConnection()
        self.network.settle()


class Anvils:
    """Two smtpd processes."""

    def __init__(self, callers=2):
        self.anvil = Anvil(lambda: 0.0)
        self.remote = Remote(AnvilService(self.anvil))
        self.first, self.second = (RemoteAnvil(self.remote.client(), callers) for _ in range(2))
        for anvil in (self.first, self.second):
            anvil._client.start()
        self.remote.network.settle()

    def ask(self, coroutine):
        return self.remote.ask(coroutine)


@pytest.fixture(params=["here", "there"])
def anvil(request):
    """The counter and how to await it, in both homes."""
    if request.param == "there":
        anvils = Anvils()
        return anvils.first, anvils.ask

    def ask(coroutine):
        with pytest.raises(StopIteration) as stop:
            coroutine.send(None)
        return stop.value.value

    return Anvil(lambda: 0.0), ask


def test_what_is_counted(anvil):
    counter, ask = anvil
    assert ask(counter.connect("smtp", "192.0.2.1")) == (1, 1)
    assert ask(counter.connect("smtp", "192.0.2.1")) == (2, 2)
    ask(counter.disconnect("smtp", "192.0.2.1"))
    assert ask(counter.connect("smtp", "192.0.2.1")) == (2, 3)
    assert ask(counter.connect("submission", "192.0.2.1")) == (1, 1)
    assert [ask(counter.message("smtp", "192.0.2.1")) for _ in range(2)] == [1, 2]
    assert ask(counter.recipient("smtp", "192.0.2.1")) == 1
    assert ask(counter.auth("smtp", "192.0.2.1")) == 1
    assert ask(counter.newtls("smtp", "192.0.2.1")) == 1
    assert ask(counter.newtls("smtp", "192.0.2.1", 0)) == 1


def test_processes_count_together():
    anvils = Anvils()
    assert anvils.ask(anvils.first.connect("smtp", "192.0.2.1")) == (1, 1)
    assert anvils.ask(anvils.second.connect("smtp", "192.0.2.1")) == (2, 2)


def test_connections_of_a_dead_process_are_counted_off():
    anvils = Anvils()
    anvils.ask(anvils.first.connect("smtp", "192.0.2.1"))
    caller = anvils.remote.calls[0].caller
    for _ in range(3):
        anvils.ask(anvils.second.connect("smtp", "192.0.2.1"))
    anvils.first._client.introductions.clear()
    anvils.remote.lose(caller)
    assert anvils.ask(anvils.second.connect("smtp", "192.0.2.1")) == (4, 5)


def test_a_new_counter_knows_the_connections_of_the_living():
    anvils = Anvils()
    for _ in range(3):
        anvils.ask(anvils.first.connect("smtp", "192.0.2.1"))
    old = anvils.remote.server
    anvils.remote.restart(AnvilService(Anvil(lambda: 0.0)))
    for caller in list(old.callers):
        caller.transport.abortConnection()
    anvils.remote.network.until(lambda: anvils.first._client.connected, 2)
    anvils.remote.network.settle()
    assert anvils.ask(anvils.second.connect("smtp", "192.0.2.1"))[0] == 4
    anvils.ask(anvils.first.disconnect("smtp", "192.0.2.1"))
    anvils.remote.network.advance(0.1)
    anvils.remote.network.settle()
    assert anvils.ask(anvils.second.connect("smtp", "192.0.2.1"))[0] == 4


def test_the_first_few_are_told_without_asking_and_the_limit_holds():
    anvils = Anvils(callers=2)
    admitted = 0
    for number in range(40):
        process = (anvils.first, anvils.second)[number % 2]
        count, _ = anvils.ask(process.connect("smtp", "192.0.2.1", 20))
        admitted += count <= 20
    assert admitted == 20
    assert len(anvils.remote.calls) == 30  # five by each process itself
    anvils.remote.calls.clear()
    for number in range(10):
        anvils.ask(anvils.first.connect("smtp", f"2001:db8::{number}", 20))  # one network
    assert len(anvils.remote.calls) == 10
    anvils.ask(anvils.first.connect("smtp", "192.0.2.2", 20))
    anvils.ask(anvils.first.disconnect("smtp", "192.0.2.2"))
    anvils.remote.network.advance(0.1)
    anvils.remote.network.settle()
    assert anvils.ask(anvils.second.connect("smtp", "192.0.2.2"))[0] == 1


def test_without_a_counter_there_are_no_limits():
    anvils = Anvils()
    anvils.ask(anvils.first.message("smtp", "192.0.2.1"))
    hanging = anvils.remote.server.verbs["count"] = [].append
    results = []
    Deferred.fromCoroutine(anvils.first.message("smtp", "192.0.2.1")).addBoth(results.append)
    anvils.remote.network.settle()
    anvils.remote.lose()
    assert results == [0] and hanging.__self__


def test_nothing_else_is_counted():
    anvils = Anvils()
    results = []
    anvils.first._client.call("count", "__init__", "smtp", "192.0.2.1").addErrback(results.append)
    anvils.remote.network.settle()
    assert "nothing to count" in str(results[0].value)


class TestRemoteTable(TableContract):
    def build(self, tmp_path):
        tables = {"memory:table": MemoryTable({self.key: self.value})}
        self.remote = Remote(LookupService(lambda spec, options: tables[spec]))
        return RemoteTable(self.remote.client(), "memory:table", TableOptions(), False)

    def answer(self, coroutine):
        return self.remote.ask(coroutine)


def test_a_table_that_cannot_tell_cannot_tell_here():
    remote = Remote(LookupService(lambda spec, options: BrokenTable()))
    table = RemoteTable(remote.client(), "memory:broken", TableOptions(), False)
    with pytest.raises(TemporaryError) as caught:
        remote.ask(table.lookup("key"))
    assert caught.value.cause == "memory:broken lookup error"


def test_lookups_do_not_wait_for_each_other():
    waiting = {}

    class Slow:
        async def lookup(self, key):
            waiting[key] = Deferred()
            return await waiting[key]

    remote = Remote(LookupService(lambda spec, options: Slow()))
    table = RemoteTable(remote.client(), "slow:x", TableOptions(), False)
    results = {}
    for key in ("a", "b"):
        Deferred.fromCoroutine(table.lookup(key)).addBoth(lambda value, key=key: results.setdefault(key, value))
    remote.network.settle()
    waiting["b"].callback(None)
    remote.network.settle()
    assert results == {"b": None}
    waiting["a"].callback("x")
    remote.network.settle()
    assert results == {"a": "x", "b": None}


def test_a_dead_process_cannot_tell():
    remote = Remote(LookupService(lambda spec, options: MemoryTable({"key": "value"})))
    table = RemoteTable(remote.client(), "memory:table", TableOptions(), False)
    assert remote.ask(table.lookup("key")) == "value"
    remote.server.verbs["lookup"] = [].append
    results = []
    Deferred.fromCoroutine(table.lookup("key")).addBoth(results.append)
    remote.network.settle()
    remote.lose()
    assert results[0].check(TemporaryError)


def test_options_travel():
    opened = []

    def open(spec, options):
        opened.append(options)
        return MemoryTable({"key": "value"})

    remote = Remote(LookupService(open))
    client = remote.client()
    for options in (TableOptions(), TableOptions(secure=True, utf8=False), TableOptions()):
        assert remote.ask(RemoteTable(client, "memory:table", options, False).lookup("key")) == "value"
    assert opened == [TableOptions(), TableOptions(secure=True, utf8=False)]


def test_flush():
    flushed = []

    async def flush(domain):
        flushed.append(domain)

    remote = Remote(FlushService(flush))
    assert remote.ask(RemoteFlush(remote.client())("example.org")) is None
    assert flushed == ["example.org"]


def test_verification():
    class Verifier:
        async def verify(self, address, patience):
            assert (address, patience) == ("a@example.org", 6.0)
            return Verification(Known.UNDELIVERABLE, "550 no such user")

    remote = Remote(VerifyService(Verifier()))
    verifier = RemoteVerifier(remote.client())
    assert remote.ask(verifier.verify("a@example.org", 6.0)) == Verification(Known.UNDELIVERABLE, "550 no such user")
