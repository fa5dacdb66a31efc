"""The resolver against name servers that are objects: packets, ports, time and chance belong to the test."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.names import dns
from zope.interface.verify import verifyObject

from mailer.dns.config import Resolv
from mailer.dns.resolver import Resolver
from mailer.interfaces.resolver import IResolver
from mailer.message.dns import Answer
from mailer.message.status import TemporaryError

TLSA = 52


class Port:
    """A UDP port or a TCP connection, and what was sent through it."""

    def __init__(self, net, protocol, tcp=False):
        self.net, self.protocol, self.tcp, self.open = net, protocol, tcp, True

    def connect(self, host, port):
        self.server = (host, port)

    def write(self, octets):
        if self.tcp:
            self.net.tcp.append(self)
            octets = octets[2:]
        message = dns.Message()
        message.fromStr(octets)
        self.query, self.ident, self.raw = message.queries[0], message.id, octets
        self.net.sent.append(self)
        self.net.answer(self)

    def give(self, octets):
        if self.tcp:
            for octet in len(octets).to_bytes(2, "big") + octets:
                self.protocol.dataReceived(bytes([octet]))
        else:
            self.protocol.datagramReceived(octets, self.server)

    def stopListening(self):
        self.open = False

    disconnect = stopListening


class Net(Clock):
    """A reactor whose network is a function: ``answer(port)``."""

    def __init__(self, answer=lambda port: None):
        super().__init__()
        self.answer, self.sent, self.tcp, self.ports = answer, [], [], []

    def listenUDP(self, number, protocol, interface="", maxPacketSize=8192):
        assert number == 0
        port = Port(self, protocol)
        port.interface = interface
        self.ports.append(port)
        protocol.makeConnection(port)
        return port

    def connectTCP(self, host, number, factory, timeout):
        port = Port(self, factory.buildProtocol(None), tcp=True)
        port.connect(host, number)
        self.ports.append(port)
        port.protocol.makeConnection(port)
        return port


def reply(port, *answers, code=dns.OK, authority=(), truncated=False, secure=False, ident=None, question=None):
    message = dns.Message(
        port.ident if ident is None else ident,
        answer=1,
        recDes=1,
        rCode=code,
        trunc=truncated,
        authenticData=secure,
        maxSize=0,
    )
    message.queries = [question or port.query]
    message.answers = list(answers)
    message.authority = list(authority)
    return message.toStr()


def rr(name, payload, ttl=300):
    return dns.RRHeader(name.encode(), payload.TYPE, dns.IN, ttl, payload)


def soa(minimum, ttl=900):
    return rr("example", dns.Record_SOA(b"ns.example", b"h.example", minimum=minimum), ttl)


def server(zone, **more):
    """Answers from ``{(name, type): [payload ...]}``; a name that is not there does not exist."""

    def answer(port):
        name, kind = port.query.name.name.decode(), port.query.type
        known = {each for each, _ in zone}
        records = [rr(name, payload) for payload in zone.get((name, kind), ())]
        port.give(reply(port, *records, code=dns.OK if name in known else dns.ENAME, **more))

    return answer


def ask(coroutine, net=None, seconds=0.0):
    got = []
    Deferred.fromCoroutine(coroutine).addBoth(got.append)
    while seconds > 0 and not got:
        net.advance(0.5)
        seconds -= 0.5
    if got and isinstance(got[0], Answer):
        return got[0]
    if got:
        got[0].raiseException()
    return None


def resolver(net, tmp_path=None, resolv=None, hosts=""):
    numbers = iter(range(1000, 60000))
    path = tmp_path / "hosts" if tmp_path else None
    if path:
        path.write_text(hosts)
    return Resolver(
        net, lambda below: next(numbers) % below, hosts=str(path or "/nonexistent"), resolv=lambda: resolv or Resolv()
    )


def test_it_is_a_resolver():
    assert verifyObject(IResolver, resolver(Net()))


def test_mail_exchangers_in_order_of_preference():
    zone = {("example", dns.MX): [dns.Record_MX(20, b"b.example"), dns.Record_MX(10, b"a.example")]}
    assert ask(resolver(Net(server(zone))).mx("Example.")) == Answer(((10, "a.example"), (20, "b.example")), ttl=300)


def test_null_mx():
    zone = {("example", dns.MX): [dns.Record_MX(0, b"")]}
    assert ask(resolver(Net(server(zone))).mx("example")).records == ((0, ""),)


def test_names_that_no_host_can_have_are_passed_over():
    zone = {("example", dns.MX): [dns.Record_MX(1, b"bad host.example"), dns.Record_MX(5, b"good.example")]}
    assert ask(resolver(Net(server(zone))).mx("example")).records == ((5, "good.example"),)


def test_other_types():
    zone = {
        ("example", dns.TXT): [dns.Record_TXT(b"v=spf1 ", b"-all")],
        ("example", dns.NS): [dns.Record_NS(b"ns.example")],
        ("_25._tcp.mx.example", TLSA): [],
        ("1.2.0.192.in-addr.arpa", dns.PTR): [dns.Record_PTR(b"mx.example")],
    }
    dns_ = resolver(Net(server(zone)))
    assert ask(dns_.txt("example")).records == (b"v=spf1 -all",)
    assert ask(dns_.ns("example")).records == ("ns.example",)
    assert ask(dns_.ptr("192.0.2.1")).records == ("mx.example",)
    assert ask(dns_.ptr("no address")) == Answer((), False)


def test_tlsa_records_are_taken_apart():
    def answer(port):
        payload = dns.UnknownRecord(b"\x03\x01\x01" + bytes(32))
        payload.TYPE = TLSA
        port.give(reply(port, rr("_25._tcp.mx.example", payload), secure=True))

    got = ask(resolver(Net(answer)).tlsa("_25._tcp.mx.example"))
    assert got.records == ((3, 1, 1, bytes(32)),) and got.secure


def test_no_such_name_is_not_the_same_as_no_such_data():
    dns_ = resolver(Net(server({("example", dns.A): [dns.Record_A("192.0.2.1")]})))
    assert ask(dns_.mx("example")).exists and not ask(dns_.mx("absent.example")).exists


def test_addresses_in_the_order_of_the_families():
    zone = {
        ("h.example", dns.A): [dns.Record_A("192.0.2.1")],
        ("h.example", dns.AAAA): [dns.Record_AAAA("2001:db8::1")],
    }
    dns_ = resolver(Net(server(zone)))
    assert ask(dns_.addresses("h.example")).records == ("192.0.2.1", "2001:db8::1")
    assert ask(dns_.addresses("h.example", ("ipv6", "ipv4"))).records == ("2001:db8::1", "192.0.2.1")
    assert ask(dns_.addresses("h.example", ("ipv6",))).records == ("2001:db8::1",)
    assert ask(dns_.a("h.example")).records == ("192.0.2.1",)


def test_literals_answer_themselves_without_the_network():
    net = Net()
    dns_ = resolver(net)
    assert ask(dns_.addresses("192.0.2.7")).records == ("192.0.2.7",)
    assert ask(dns_.addresses("2001:DB8:0::7")).records == ("2001:db8::7",)
    assert ask(dns_.addresses("192.0.2.7", ("ipv6",))).records == ()
    assert not net.sent


def test_the_hosts_file_comes_first_unless_it_is_not_wanted(tmp_path):
    net = Net(server({("box", dns.A): [dns.Record_A("192.0.2.2")]}))
    dns_ = resolver(net, tmp_path, hosts="192.0.2.1 box\n2001:db8::1 box\n")
    assert ask(dns_.addresses("Box")).records == ("192.0.2.1", "2001:db8::1")
    assert ask(dns_.addresses("box", ("ipv6", "ipv4"))).records == ("2001:db8::1", "192.0.2.1")
    assert ask(dns_.ptr("2001:db8::1")).records == ("box",)
    assert not net.sent
    assert ask(dns_.addresses("box", hosts=False)).records == ("192.0.2.2",)


def test_aliases_are_followed_in_the_answer_and_beyond_it():
    def answer(port):
        name = port.query.name.name.decode()
        alias = rr("a.example", dns.Record_CNAME(b"b.example"), 50)
        if name == "a.example" and port.query.type == dns.A:
            port.give(reply(port, alias, rr("b.example", dns.Record_A("192.0.2.1"))))
        elif name == "a.example":
            port.give(reply(port, alias))
        else:
            port.give(reply(port, rr("b.example", dns.Record_AAAA("2001:db8::1"))))

    got = ask(resolver(Net(answer)).addresses("a.example"))
    assert got.records == ("192.0.2.1", "2001:db8::1") and got.ttl == 50


def test_aliases_in_a_circle_are_a_temporary_failure():
    def answer(port):
        name = port.query.name.name
        other = b"b.example" if name == b"a.example" else b"a.example"
        port.give(reply(port, rr(name.decode(), dns.Record_CNAME(other))))

    with pytest.raises(TemporaryError, match="loop"):
        ask(resolver(Net(answer)).a("a.example"))


def test_negative_answers_are_kept_as_the_zone_says():
    net = Net(lambda port: port.give(reply(port, code=dns.ENAME, authority=[soa(40)])))
    dns_ = resolver(net)
    assert ask(dns_.mx("absent.example")).ttl == 40
    net.advance(39)
    ask(dns_.mx("absent.example"))
    assert len(net.sent) == 1
    net.advance(2)
    ask(dns_.mx("absent.example"))
    assert len(net.sent) == 2


def test_a_silent_server_is_given_up_for_the_next_one_and_all_of_them_for_now():
    resolv = Resolv((("192.0.2.1", 53), ("2001:db8::2", 53)), timeout=5.0, attempts=2)
    net = Net()
    with pytest.raises(TemporaryError, match="try again"):
        ask(resolver(net, resolv=resolv).mx("example"), net, 30)
    assert [port.server[0] for port in net.sent] == ["192.0.2.1", "2001:db8::2"] * 2
    assert net.seconds() == 20
    assert [port.interface for port in net.sent[:2]] == ["", "::"]
    assert not any(port.open for port in net.ports) and not net.getDelayedCalls()
    assert len({port.ident for port in net.sent}) == 4


@pytest.mark.parametrize("code", [dns.ESERVER, dns.EREFUSED])
def test_a_server_that_fails_is_no_proof_of_absence(code):
    def answer(port):
        if port.server[0] == "192.0.2.1":
            port.give(reply(port, code=code))
        else:
            port.give(reply(port, rr("example", dns.Record_A("192.0.2.9"))))

    two = Resolv((("192.0.2.1", 53), ("192.0.2.2", 53)))
    assert ask(resolver(Net(answer), resolv=two).a("example")).records == ("192.0.2.9",)
    with pytest.raises(TemporaryError):
        ask(resolver(Net(answer), resolv=Resolv((("192.0.2.1", 53),))).a("example"))


def test_one_family_found_is_enough_one_missing_for_now_is_not_none():
    def answer(port):
        if port.query.type == dns.A and port.query.name.name == b"half.example":
            port.give(reply(port, rr("half.example", dns.Record_A("192.0.2.1"))))
        elif port.query.type == dns.A:
            port.give(reply(port))
        else:
            port.give(reply(port, code=dns.ESERVER))

    dns_ = resolver(Net(answer))
    assert ask(dns_.addresses("half.example")).records == ("192.0.2.1",)
    with pytest.raises(TemporaryError):
        ask(dns_.addresses("other.example"))


def test_truncated_answers_are_asked_for_again_by_tcp():
    def answer(port):
        if port.tcp:
            port.give(reply(port, *(rr("example", dns.Record_A(f"192.0.2.{n}")) for n in range(90))))
        else:
            port.give(reply(port, truncated=True))

    net = Net(answer)
    assert len(ask(resolver(net).a("example")).records) == 90
    assert len(net.tcp) == 1 and not any(port.open for port in net.ports)


def test_a_server_without_edns_is_asked_without_it_and_remembered():
    def answer(port):
        if len(port.raw) > 12 + 9 + 4:
            port.give(reply(port, code=dns.EFORMAT))
        else:
            port.give(reply(port, rr(port.query.name.name.decode(), dns.Record_A("192.0.2.1"))))

    net = Net(answer)
    dns_ = resolver(net)
    assert ask(dns_.a("example")).records and len(net.sent) == 2
    assert ask(dns_.a("exbmple")).records and len(net.sent) == 3


def test_answers_to_other_questions_and_nonsense_do_not_count():
    def answer(port):
        record = rr("example", dns.Record_A("192.0.2.66"))
        port.give(reply(port, record, ident=(port.ident + 1) % 65536))
        port.give(reply(port, record, question=dns.Query(b"other.example", dns.A)))
        port.give(port.raw)
        port.give(b"")
        port.give(b"\0" * 11)

    net = Net(answer)
    with pytest.raises(TemporaryError):
        ask(resolver(net, resolv=Resolv(attempts=1)).a("example"), net, 10)


def test_every_mutilated_answer_is_an_answer_or_a_temporary_failure():
    good = {}

    def remember(port):
        good["octets"] = reply(port, rr("example", dns.Record_MX(1, b"mx.example")))

    ask(resolver(Net(remember)).mx("example"))
    octets = good["octets"]
    for position in range(2, len(octets)):
        for value in (0, 1, 63, 192, 255):

            def answer(port, position=position, value=value):
                broken = port.ident.to_bytes(2, "big") + octets[2:position] + bytes([value]) + octets[position + 1 :]
                port.give(broken)

            net = Net(answer)
            try:
                got = ask(resolver(net, resolv=Resolv(attempts=1)).mx("example"), net, 10)
            except TemporaryError:
                continue
            assert isinstance(got, Answer)


def test_security_needs_every_step_to_be_secure():
    zone = {("h.example", dns.A): [dns.Record_A("192.0.2.1")], ("h.example", dns.AAAA): []}
    assert ask(resolver(Net(server(zone, secure=True))).addresses("h.example")).secure
    assert not ask(resolver(Net(server(zone))).addresses("h.example")).secure


def test_names_are_completed_only_when_asked_to():
    resolv = Resolv(search=("one.example", "two.example"))
    zone = {
        ("mx.one.example", dns.A): [dns.Record_A("192.0.2.1")],
        ("mail.x.two.example", dns.A): [dns.Record_A("192.0.2.2")],
    }
    dns_ = resolver(Net(server(zone)), resolv=resolv)
    assert ask(dns_.addresses("mx")).records == ()
    assert ask(dns_.addresses("mx", search="res_defnames")).records == ("192.0.2.1",)
    assert ask(dns_.addresses("mail.x", search="res_defnames")).records == ()
    assert ask(dns_.addresses("mail.x", search="res_dnsrch")).records == ("192.0.2.2",)
    assert ask(dns_.addresses("mx.", search="res_dnsrch")).records == ()


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".example", "a b.example", "\xe4.example", "a." * 200])
def test_a_name_that_cannot_be_asked_for_does_not_exist(name):
    net = Net()
    assert ask(resolver(net).mx(name)) == Answer((), False)
    assert not net.sent


def test_other_servers_mean_other_answers():
    net = Net(server({("example", dns.A): [dns.Record_A("192.0.2.1")]}))
    resolv = [Resolv()]
    dns_ = Resolver(net, lambda below: 7 % below, hosts="/nonexistent", resolv=lambda: resolv[0])
    ask(dns_.a("example")), ask(dns_.a("example"))
    assert len(net.sent) == 1
    resolv[0] = Resolv((("192.0.2.53", 53),))
    ask(dns_.a("example"))
    assert net.sent[-1].server == ("192.0.2.53", 53)


def test_questions_beyond_what_may_be_under_way_wait_their_turn():
    net = Net()
    dns_ = resolver(net)
    got = []
    for number in range(250):
        Deferred.fromCoroutine(dns_.a(f"h{number}.example")).addBoth(got.append)
    assert len(net.sent) == 200
    for port in net.sent[:60]:
        port.give(reply(port))
    assert len(net.sent) == 250 and len(got) == 60
