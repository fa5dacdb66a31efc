"""Plug-ins that raise, hang, block and talk nonsense cost a temporary failure and are named."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.deliver.guarded import guarded_transport
from mailer.interfaces.context import Context
from mailer.interfaces.table import ITable, ITableFactory, TableOptions
from mailer.interfaces.transport import ITransport
from mailer.message.status import MailError, TemporaryError
from mailer.plugins.registry import Registry
from mailer.tables.opening import Tables
from mailer.testing.log import RecordingLog
from mailer.testing.tables import MemoryTable, TableContract, answer
from mailer.testing.transports import RecordingOutcomes


class Bench:
    def __init__(self):
        self.clock = Clock()
        self.log = RecordingLog()
        settings = SimpleNamespace(
            smtputf8_enable=True,
            plugin_block_time_limit=0.2,
            plugin_delivery_time_limit=100.0,
            plugin_lookup_time_limit=10.0,
        )
        self.context = Context(
            settings=settings, reactor=self.clock, seconds=lambda: 4e9, log=self.log, name="acme-out"
        )

    def table(self, lookup=None, build=None):
        registry = Registry(ITableFactory, "lookup table type", ([("acme_plugins", Factory(lookup, build))], []))
        return Tables(self.context, TableOptions(), registry).open("acme:x")

    def told(self):
        """The log, without where a fault was."""
        return [line.partition(" (/")[0] for line in self.log.lines]


@implementer(ITableFactory)
class Factory:
    """Somebody's plug-in; ``factory`` is where it says it is."""

    name = "acme"
    summary = "Acme's directory"
    extra = ""
    factory = "acme.tables.AcmeTable"

    def __init__(self, lookup=None, build=None):
        self._lookup = lookup
        self._build = build

    def build(self, argument, context):
        return self._build() if self._build is not None else Table(self._lookup)


@implementer(ITable)
class Table:
    name = "acme:x"
    pattern = False

    def __init__(self, lookup):
        self.lookup = lookup

    def close(self):
        raise OSError("cannot be closed")


@pytest.fixture
def bench():
    return Bench()


WHO = "table acme:x (plug-in acme.tables.AcmeTable)"


def result_of(coroutine):
    results = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    return results


class TestTables:
    def test_an_answer_passes_at_once(self, bench):
        async def lookup(key):
            return key + "!"

        assert answer(bench.table(lookup).lookup("a")) == "a!"
        assert bench.log.lines == []

    def test_an_answer_that_takes_a_while_passes(self, bench):
        waiting = [Deferred(), Deferred()]

        async def lookup(key):
            first = await waiting[0]
            try:
                await waiting[1]
            except ValueError as error:
                return f"{first} {error}"

        results = result_of(bench.table(lookup).lookup("a"))
        waiting[0].callback("one")
        assert results == []
        waiting[1].errback(ValueError("two"))
        assert results == ["one two"]
        assert bench.clock.getDelayedCalls() == []

    def test_its_own_cannot_tell_passes(self, bench):
        async def lookup(key):
            raise TemporaryError("the directory is away")

        with pytest.raises(TemporaryError, match="the directory is away"):
            answer(bench.table(lookup).lookup("a"))
        assert bench.log.lines == []

    def test_what_it_raises_is_temporary(self, bench):
        async def lookup(key):
            return {}[key]

        with pytest.raises(TemporaryError):
            answer(bench.table(lookup).lookup("a"))
        assert bench.told() == [f"error {WHO}: KeyError: 'a'"]
        assert "test_guard.py, line" in bench.log.lines[0]

    def test_what_it_raises_later_is_temporary(self, bench):
        waiting = Deferred()

        async def lookup(key):
            await waiting
            raise KeyError(key)

        results = result_of(bench.table(lookup).lookup("a"))
        waiting.callback(None)
        assert results[0].check(TemporaryError)
        assert bench.told() == [f"error {WHO}: KeyError: 'a'"]

    def test_one_that_hangs(self, bench):
        async def lookup(key):
            await Deferred()

        results = result_of(bench.table(lookup).lookup("a"))
        bench.clock.advance(10)
        assert results[0].check(TemporaryError)
        assert bench.told() == [f"error {WHO}: no result within 10 seconds"]

    def test_one_that_hangs_and_will_not_give_up(self, bench):
        async def lookup(key):
            while True:
                try:
                    await Deferred()
                except Exception:
                    continue

        results = result_of(bench.table(lookup).lookup("a"))
        bench.clock.advance(10)
        assert results[0].check(TemporaryError)

    @pytest.mark.parametrize("how", [lambda: time.sleep(60), lambda: [None for _ in iter(int, 1)]])
    def test_one_that_blocks_is_interrupted(self, bench, how):
        async def lookup(key):
            how()

        began = time.monotonic()
        with pytest.raises(TemporaryError):
            answer(bench.table(lookup).lookup("a"))
        assert time.monotonic() - began < 20
        assert f"error {WHO}: held up the reactor for more than 0.2 seconds and was interrupted" in bench.told()

    def test_one_that_blocks_a_little_is_told_now_and_then(self, bench):
        async def lookup(key):
            time.sleep(0.06)
            return "x"

        table = bench.table(lookup)
        assert [answer(table.lookup("a")) for _ in range(3)] == ["x"] * 3
        assert len(bench.told()) == 1 and "held up the reactor for 0." in bench.told()[0]

    def test_what_is_no_text(self, bench):
        async def lookup(key):
            return b"x"

        with pytest.raises(TemporaryError):
            answer(bench.table(lookup).lookup("a"))
        assert bench.told() == [f"error {WHO}: found b'x', which is no str"]

    def test_another_framework_s_promises(self, bench):
        async def lookup(key):
            await asyncio.sleep(0)

        with pytest.raises(TemporaryError):
            result_of(bench.table(lookup).lookup("a"))[0].raiseException()
        assert "which is no Deferred" in bench.told()[0]

    def test_one_that_cannot_be_opened_is_unavailable(self, bench):
        def build():
            raise RuntimeError("no licence")

        with pytest.raises(TemporaryError):
            answer(bench.table(build=build).lookup("a"))
        assert bench.told()[0] == f"error {WHO}: RuntimeError: no licence"

    def test_what_is_no_table(self, bench):
        bench.table(build=object)
        assert "is no ITable" in bench.told()[0]

    def test_one_that_cannot_be_closed(self, bench):
        async def lookup(key):
            return None

        bench.table(lookup).close()
        assert bench.told() == [f"error {WHO}: close: OSError: cannot be closed"]


class TestContract(TableContract):
    """A guarded table is a table."""

    def build(self, tmp_path):
        return Bench().table(build=lambda: MemoryTable({self.key: self.value}, "acme:x"))


@implementer(ITransport)
class Transport:
    def __init__(self, deliver):
        self.deliver = deliver

    async def stop(self):
        raise RuntimeError("cannot stop")


class TestTransports:
    @pytest.fixture
    def deliver(self, bench):
        def start(deliver):
            factory = SimpleNamespace(
                name="acme-out", factory="acme.out.Transport", build=lambda argument, context: Transport(deliver)
            )
            self.transport = guarded_transport(factory, (), bench.context)
            self.outcomes = RecordingOutcomes()
            return result_of(self.transport.deliver(SimpleNamespace(), self.outcomes))

        return start

    def test_what_it_tells_passes(self, deliver, bench):
        async def run(request, outcomes):
            outcomes.tell(SimpleNamespace(address="a"), "sent")

        assert deliver(run) == [None]
        assert [outcome for _, outcome in self.outcomes.told] == ["sent"]

    def test_what_it_raises_defers(self, deliver, bench):
        async def run(request, outcomes):
            raise KeyError("x")

        assert deliver(run)[0].check(TemporaryError)
        assert bench.told() == ["error transport acme-out (plug-in acme.out.Transport): KeyError: 'x'"]

    def test_its_own_errors_pass(self, deliver, bench):
        async def run(request, outcomes):
            raise TemporaryError("busy", "4.3.2", "later")

        failure = deliver(run)[0]
        assert failure.check(MailError) and failure.value.reply.text == "later"
        assert bench.log.lines == []

    def test_after_its_time_nobody_listens(self, deliver, bench):
        late = Deferred()

        async def run(request, outcomes):
            try:
                await Deferred()
            except Exception:
                await late
            outcomes.tell(SimpleNamespace(address="a"), "sent")
            outcomes.unreachable("4.4.1", "late")

        results = deliver(run)
        bench.clock.advance(100)
        assert results[0].check(TemporaryError)
        late.callback(None)
        assert self.outcomes.told == [] and self.outcomes.down == []
        assert bench.told() == [
            "error transport acme-out (plug-in acme.out.Transport): no result within 100 seconds",
            "error transport acme-out (plug-in acme.out.Transport): told what became of a after the delivery was over",
        ]

    def test_one_that_cannot_stop(self, deliver, bench):
        async def run(request, outcomes):
            """Nothing."""

        deliver(run)
        assert result_of(self.transport.stop()) == [None]
        assert bench.told() == ["error transport acme-out (plug-in acme.out.Transport): RuntimeError: cannot stop"]

    def test_one_that_cannot_be_built(self, bench):
        factory = SimpleNamespace(name="x", factory="acme.out.Transport", build=lambda argument, context: object())
        with pytest.raises(
            ConfigError, match=r"transport acme-out \(plug-in acme.out.Transport\): .* is no ITransport"
        ):
            guarded_transport(factory, (), bench.context)
