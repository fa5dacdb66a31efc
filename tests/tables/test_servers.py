"""tcp:, socketmap: and memcache: over connections in memory; what they say and log is what the real postmap says of the same
replies."""

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from mailer.config.errors import ConfigError
from mailer.interfaces.context import Context
from mailer.interfaces.table import TableOptions
from mailer.message.status import TemporaryError
from mailer.tables.opening import Tables
from mailer.testing.log import RecordingLog
from mailer.wire.netstring import encode

TCP = "tcp:127.0.0.1:7"
MAP = "socketmap:unix:/run/map:aliases"


class Peer:
    """The server's side of one connection."""

    def __init__(self, protocol):
        self.protocol = protocol
        self.transport = StringTransport()
        self.transport.abortConnection = self.hang_up
        self.gone = False
        protocol.makeConnection(self.transport)

    def asked(self):
        data = self.transport.value()
        self.transport.clear()
        return data

    def say(self, data):
        for at in range(len(data)):
            if not self.gone:
                self.protocol.dataReceived(data[at : at + 1])

    def hang_up(self):
        if not self.gone:
            self.gone = True
            self.protocol.connectionLost(Failure(ConnectionDone()))


class Bench:
    def __init__(self, **options):
        self.reactor = MemoryReactorClock()
        self.log = RecordingLog()
        settings = SimpleNamespace(smtputf8_enable=True)
        context = Context(settings=settings, reactor=self.reactor, seconds=lambda: 4e9, log=self.log)
        self.tables = Tables(context, TableOptions(**options))

    def ask(self, spec, key):
        results = []
        Deferred.fromCoroutine(self.tables.open(spec).lookup(key)).addBoth(
            lambda result: results.append(result.value if isinstance(result, Failure) else result)
        )
        return results

    def accept(self):
        """The connection asked for last."""
        attempt = (self.reactor.tcpClients or self.reactor.unixClients).pop()
        factory = attempt[2] if isinstance(attempt[1], int) else attempt[1]
        return Peer(factory.buildProtocol(None))

    def refuse(self):
        attempt = (self.reactor.tcpClients or self.reactor.unixClients).pop()
        factory = attempt[2] if isinstance(attempt[1], int) else attempt[1]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError(osError=111)))

    def exchange(self, spec, reply, key="A b%@é"):
        results = self.ask(spec, key)
        peer = self.accept()
        self.request = peer.asked()
        peer.say(reply)
        if not results:
            peer.hang_up()
        return results[0]


@pytest.fixture
def bench():
    return Bench()


TEMPORARY = object()


@pytest.mark.parametrize(
    ("reply", "value", "told"),
    [
        (b"200 a%20b%25%0a\n", "a b%\n", ""),
        (b"200  x\n", " x", ""),
        (b"200\tx\n", "x", ""),
        (b"200 \n", "", ""),
        (b"500 no\n", None, ""),
        (b"400 later\n", TEMPORARY, ""),
        (b"foo\n", TEMPORARY, "malformed reply: foo"),
        (b"500\n", TEMPORARY, "malformed reply: 500"),
        (b"200 %zz\n", TEMPORARY, "malformed reply: 200 %zz"),
        (b"300 x\n", TEMPORARY, "bad status code: 300 x"),
        (b"200 " + b"x" * 5000 + b"\n", TEMPORARY, "text longer than 4096"),
        (b"200 unfini", TEMPORARY, "unexpected EOF"),
    ],
)
def test_tcp(bench, reply, value, told):
    result = bench.exchange(TCP, reply)
    assert bench.request == b"get A%20b%25@%C3%A9\n"
    assert isinstance(result, TemporaryError) if value is TEMPORARY else result == value
    assert bench.log.lines == ([f"warning read TCP map reply from 127.0.0.1:7: {told}"] if told else [])


@pytest.mark.parametrize(
    ("reply", "value", "told"),
    [
        (encode(b"OK val ue"), "val ue", ""),
        (encode(b"OK  x"), " x", ""),
        (encode(b"OK"), None, ""),
        (encode(b"NOTFOUND "), None, ""),
        (encode(b"NOTFOUND"), None, ""),
        (encode(b"TEMP reason"), TEMPORARY, f"{MAP} socketmap server temporary error: reason"),
        (encode(b"PERM reason"), TEMPORARY, f"{MAP} socketmap server permanent error: reason"),
        (encode(b"TIMEOUT x"), TEMPORARY, f"{MAP} socketmap server timeout error: x"),
        (encode(b"BAD x"), TEMPORARY, f"{MAP} socketmap server unknown error: x"),
        (b"abc", TEMPORARY, f"table {MAP} lookup error: input format error"),
        (b"2:abc", TEMPORARY, f"table {MAP} lookup error: input format error"),
        (b":", TEMPORARY, f"table {MAP} lookup error: input format error"),
        (b"5:OK", TEMPORARY, f"table {MAP} lookup error: unexpected disconnect"),
        (b"100001:", TEMPORARY, f"table {MAP} lookup error: input exceeds size limit"),
        (b"9" * 20, TEMPORARY, f"table {MAP} lookup error: input exceeds size limit"),
    ],
)
def test_socketmap(bench, reply, value, told):
    result = bench.exchange(MAP, reply)
    assert bench.request == "15:aliases A b%@é,".encode().replace(b"15:", b"%d:" % len("aliases A b%@é".encode()))
    assert isinstance(result, TemporaryError) if value is TEMPORARY else result == value
    assert bench.log.lines == ([f"warning {told}"] if told else [])


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("x", "socketmap requires server:socketmap argument"),
        ("unix:/x", 'need service transport:endpoint instead of "unix"'),
        ("foo:bar:n", "invalid transport name: foo in service: foo:bar"),
    ],
)
def test_socketmap_syntax(bench, argument, words):
    with pytest.raises(ConfigError) as caught:
        bench.tables.build(f"socketmap:{argument}")
    assert str(caught.value) == words


@pytest.mark.parametrize("spec", [TCP, MAP, "memcache:x"])
def test_whoever_can_write_there_must_not_name_files_and_commands(bench, spec):
    with pytest.raises(ConfigError, match="map is not allowed for security.sensitive data"):
        Bench(secure=True).tables.build(spec)


class TestConnections:
    def test_one_is_kept(self, bench):
        assert bench.exchange(TCP, b"200 x\n") == "x"
        results = bench.ask(TCP, "b")
        assert not results and not bench.reactor.tcpClients

    def test_each_question_under_way_has_one(self, bench):
        answers = [bench.ask(TCP, str(number)) for number in range(3)]
        peers = [Peer(client[2].buildProtocol(None)) for client in bench.reactor.tcpClients]
        for peer in reversed(peers):
            peer.say(b"200 " + peer.asked()[4:])
        assert answers == [["0"], ["1"], ["2"]]

    def test_their_number_is_bounded_and_the_rest_waits(self, bench):
        answers = [bench.ask(TCP, str(number)) for number in range(20)]
        assert len(bench.reactor.tcpClients) == 8
        peers = [Peer(client[2].buildProtocol(None)) for client in bench.reactor.tcpClients]
        while any(not answer for answer in answers):
            for peer in peers:
                question = peer.asked()
                if question:
                    peer.say(b"200 " + question[4:])
        assert [answer[0] for answer in answers] == [str(number) for number in range(20)]
        assert len(bench.reactor.tcpClients) == 8

    def test_one_that_was_closed_meanwhile_is_made_anew(self, bench):
        results = bench.ask(TCP, "a")
        peer = bench.accept()
        peer.say(b"200 x\n")
        again = bench.ask(TCP, "b")
        assert results == ["x"] and peer.asked().endswith(b"get b\n")
        peer.hang_up()
        bench.accept().say(b"200 y\n")
        assert again == ["y"] and bench.log.lines == []

    def test_a_server_that_is_not_there(self, bench):
        results = bench.ask(TCP, "a")
        bench.refuse()
        assert isinstance(results[0], TemporaryError)
        assert bench.log.lines == ["warning connect to TCP map 127.0.0.1:7: Connection refused"]

    def test_silence(self, bench):
        results = bench.ask(TCP, "a")
        peer = bench.accept()
        bench.reactor.advance(31)
        assert isinstance(results[0], TemporaryError) and peer.gone
        assert bench.log.lines == ["warning read TCP map reply from 127.0.0.1:7: Connection timed out"]

    def test_what_nobody_asked_for_is_no_answer(self, bench):
        results = bench.ask(TCP, "a")
        peer = bench.accept()
        peer.protocol.dataReceived(b"200 x\n200 y\n")
        assert isinstance(results[0], TemporaryError) and peer.gone

    def test_closing(self, bench):
        bench.ask(TCP, "a")
        peer = bench.accept()
        peer.say(b"200 x\n")
        bench.tables.close()
        assert peer.gone


class TestMemcache:
    @pytest.fixture
    def spec(self, tmp_path):
        def write(text=""):
            (tmp_path / "m.cf").write_text(text)
            return f"memcache:{tmp_path}/m.cf"

        return write

    def test_found(self, bench, spec):
        assert bench.exchange(spec(), b"VALUE k 0 3\r\nabc\r\nEND\r\n", "User@Example.com") == "abc"
        assert bench.request == b"get user@example.com\r\n"

    def test_absent(self, bench, spec):
        assert bench.exchange(spec("key_format = a:%u-%d"), b"END\r\n", "user@example.com") is None
        assert bench.request == b"get a:user-example.com\r\n"

    @pytest.mark.parametrize("key", ["a b", "a\r\nflush_all", "x" * 251, "a\tb"])
    def test_keys_that_the_protocol_cannot_carry_are_not_sent(self, bench, spec, key):
        assert bench.ask(spec(), key) == [None]
        assert not bench.reactor.tcpClients

    @pytest.mark.parametrize(
        "reply",
        [b"ERROR\r\n", b"VALUE a 0 x\r\n", b"VALUE a 0 3\r\nabcd\r\nEND\r\n", b"VALUE a 0 20000\r\n", b"x" * 2000],
    )
    def test_bad_replies_are_temporary_and_tried_again(self, bench, spec, reply):
        results = bench.ask(spec(), "a")
        bench.accept().say(reply)
        assert not results
        bench.reactor.advance(1)
        bench.accept().say(reply)
        assert isinstance(results[0], TemporaryError)
        assert len(bench.log.lines) == 1

    def test_what_stands_behind_answers_and_is_remembered(self, bench, spec):
        results = bench.ask(spec("backup = inline:{ {a = from behind} }\nttl = 60\nflags = 7"), "a")
        peer = bench.accept()
        peer.say(b"END\r\n")
        assert peer.asked() == b"get a\r\nset a 7 60 11\r\nfrom behind\r\n"
        peer.say(b"STORED\r\n")
        assert results == ["from behind"]

    def test_what_stands_behind_answers_when_memcached_is_away(self, bench, spec):
        results = bench.ask(spec("backup = inline:{a=b}"), "a")
        bench.refuse()
        assert results == ["b"]

    def test_limits_as_postfix_checks_them(self, bench, spec):
        with pytest.raises(ConfigError, match="invalid retry_pause parameter value 0 < 1"):
            bench.tables.build(spec("retry_pause = 0"))


def test_debug_tells_each_lookup(bench):
    assert bench.ask("debug:inline:{a=b}", "a") == ["b"]
    assert bench.ask("debug:inline:{a=b}", "x") == [None]
    assert isinstance(bench.ask("debug:fail:x", "a")[0], TemporaryError)
    assert bench.log.lines == [
        'info inline:{a=b} lookup: "a" = "b"',
        'info inline:{a=b} lookup: "x" = not_found',
        'info fail:x lookup: "a" = error',
    ]
