"""cidr: tables and the network blocks that match lists share with them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.tables.network import Network, address_number, parse_network


@pytest.fixture
def cidr(bench, tmp_path):
    def make(text):
        (tmp_path / "t").write_text(text)
        return lambda key: bench.ask(f"cidr:{tmp_path / 't'}", key)

    make.warnings = lambda: [line.removeprefix(f"warning cidr map {tmp_path / 't'}, ") for line in bench.lines]
    return make


PLAIN = """
192.168.1.1     one
192.168.0.0/16  two
2001:db8::1     three
[2001:db8::]/32 four
[2001:dba::/32] five
::ffff:1.2.3.4  six
0.0.0.0/0       any
10.0.0.0/8      never
"""

ANSWERS = [
    ("192.168.1.1", "one"),
    ("192.168.1.2", "two"),
    ("2001:DB8::0001", "three"),
    ("2001:db8::2", "four"),
    ("2001:dba::1", "five"),
    ("::ffff:1.2.3.4", "six"),
    ("10.0.0.1", "any"),
    ("2001:dbb::1", None),
    ("host.example.com", None),
    ("010.1.1.1", None),
    ("[10.0.0.1]", None),
    ("fe80::1%eth0", None),
    ("", None),
    ("1.2.3.4 ", None),
]


@pytest.mark.parametrize(("key", "value"), ANSWERS)
def test_first_rule_wins(cidr, key, value):
    assert cidr(PLAIN)(key) == value


@pytest.mark.parametrize(("key", "value"), ANSWERS)
def test_the_index_changes_nothing(cidr, key, value):
    """A table with an IF is tried rule by rule."""
    assert cidr(PLAIN + "if 1.2.3.4\nendif\n")(key) == value


def test_if_and_negation(cidr):
    ask = cidr(
        "if 10.0.0.0/8\n10.1.0.0/16 a\n!10.2.0.0/16 b\nif !10.2.3.0/24\n10.2.0.0/16 c\nendif\nendif\n!1.2.3.4 d\n"
    )
    keys = ["10.1.1.1", "10.3.1.1", "10.2.1.1", "10.2.3.1", "1.2.3.4", "::1"]
    assert [ask(key) for key in keys] == ["a", "b", "c", "d", None, None]
    assert cidr.warnings() == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("10.0.0.1/8 x", 'non-null host address bits in "10.0.0.1/8", perhaps you should use "10.0.0.0/8" instead'),
        (
            "2001:db8::1/32 x",
            'non-null host address bits in "2001:db8::1/32", perhaps you should use "2001:db8::/32" instead',
        ),
        ("10.0.0.0/33 x", 'bad mask length in "10.0.0.0/33"'),
        ("10.0.0.0/x x", 'bad mask value in "10.0.0.0/x"'),
        ("10.0.0.0/8/8 x", 'bad mask value in "10.0.0.0/8/8"'),
        ("10.0.0/24 x", 'bad network value in "10.0.0/24"'),
        ("10.0.0 x", 'bad address pattern: "10.0.0"'),
        ("01.2.3.4 x", 'bad address pattern: "01.2.3.4"'),
        ("[::1 x", "missing ']' character after \"[::1\""),
        ("[::1]x x", 'garbage after "[::1]"'),
        ("[::1/128]/4 x", 'bad network value in "::1/128/4"'),
        ("10.0.0.0/8", "no lookup result"),
        ("!", "no address pattern"),
        ("if", "no address pattern"),
        ("endif", "ENDIF without IF"),
        ("host.example x", 'bad address pattern: "host.example"'),
    ],
)
def test_complaints(cidr, line, problem):
    assert cidr(f"{line}\n1.1.1.1 fine\n")("1.1.1.1") == "fine"
    assert cidr.warnings() == [f"line 1: {problem}: skipping this rule"]


def test_unfinished_if(cidr):
    ask = cidr("if 10.0.0.0/8\n10.0.0.1 x\n")
    assert [ask("10.0.0.1"), ask("1.1.1.1")] == ["x", None]
    assert cidr.warnings() == ["line 1: IF has no matching ENDIF"]


def test_inline(bench):
    assert bench.ask("cidr:{{10.0.0.0/8 x}, {::/0 y}}", "10.1.2.3") == "x"
    assert bench.ask("cidr:{{10.0.0.0/8 x}, {::/0 y}}", "::1") == "y"
    assert bench.tables.open("cidr:{{10.0.0.0/8 x}}").pattern


@given(st.ip_addresses(), st.integers(0, 128), st.ip_addresses())
def test_membership_is_ipaddress_s(address, prefix, other):
    prefix = min(prefix, address.max_prefixlen)
    network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    parsed = parse_network(str(network))
    for each in (address, other, network[0], network[-1]):
        number = address_number(str(each))
        assert (number in parsed) == (each in network)


@given(st.text(alphabet="0123456789abf.:/[]x ", max_size=20))
def test_any_pattern_is_a_network_or_a_declared_error(text):
    try:
        network = parse_network(text)
    except ValueError as error:
        assert str(error)
    else:
        assert isinstance(network, Network) and 0 <= network.prefix <= network.bits
