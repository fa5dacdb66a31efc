"""What a nexthop says."""

import pytest

from mailer.deliver.smtp.destination import BadDestination, Destination, known_ports, parse, split_sites


@pytest.mark.parametrize(
    "site, host, port, mx",
    [
        ("example.com", "example.com", 25, True),
        ("example.com:587", "example.com", 587, True),
        ("example.com:submission", "example.com", 587, True),
        ("[mx.example.com]", "mx.example.com", 25, False),
        ("[mx.example.com]:2525", "mx.example.com", 2525, False),
        ("[192.0.2.1]", "192.0.2.1", 25, False),
        ("[2001:db8::1]:26", "2001:db8::1", 26, False),
        ("[ipv6:2001:db8::1]", "2001:db8::1", 25, False),
        ("[IPv6:2001:db8::1]:26", "2001:db8::1", 26, False),
        ("2001:db8::1", "2001:db8::1", 25, True),
    ],
)
def test_smtp(site, host, port, mx):
    ports = {"smtp": 25, "submission": 587}
    assert parse(site, "smtp", ports=ports) == Destination(site, host, port, mx)


@pytest.mark.parametrize(
    "site, expected",
    [
        ("unix:/run/lmtp", Destination("unix:/run/lmtp", path="/run/lmtp")),
        ("unix:private/x:y", Destination("unix:private/x:y", path="private/x:y")),
        ("inet:host", Destination("inet:host", "host", 24)),
        ("inet:[::1]:2424", Destination("inet:[::1]:2424", "::1", 2424)),
        ("host:25", Destination("host:25", "host", 25)),
    ],
)
def test_lmtp(site, expected):
    assert parse(site, "24", lmtp=True) == expected


@pytest.mark.parametrize(
    "site",
    ["", "[]", ":25", "[]:25", "host:", "[host]:", "[host", "host:0", "host:65536", "host:no-such-service", "host:-1"],
)
def test_what_makes_no_sense(site):
    with pytest.raises(BadDestination):
        parse(site, "25")


def test_several_sites():
    assert split_sites("[a]:25, b\tc,,") == ["[a]:25", "b", "c"]
    assert split_sites(" , ") == []


def test_known_ports():
    assert known_ports(("lmtp=24", "smtps=submissions=465", "nonsense", "x=y")) == {
        "lmtp": 24,
        "smtps": 465,
        "submissions": 465,
    }
