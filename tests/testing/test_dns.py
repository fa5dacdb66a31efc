"""The written-down resolver answers as a real one does."""

import pytest
from zope.interface.verify import verifyObject

from mailer.interfaces.resolver import IResolver
from mailer.message.status import TemporaryError
from mailer.testing.dns import FAILS, FakeResolver


def run(coroutine):
    """The answer of a coroutine that does not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("suspended")


ZONE = {
    "Example.com": {"MX": [(20, "b.example.com"), (10, "a.example.com")], "A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    "null.example": {"MX": [(0, "")]},
    "down.example": FAILS,
    "half.example": {"A": ["192.0.2.9"], "AAAA": FAILS},
    "192.0.2.1": {"PTR": ["example.com"]},
}


def test_it_is_a_resolver():
    assert verifyObject(IResolver, FakeResolver())


def test_mx_comes_in_order_of_preference_whatever_the_case_of_the_name():
    assert run(FakeResolver(ZONE).mx("EXAMPLE.com.")).records == ((10, "a.example.com"), (20, "b.example.com"))
    assert run(FakeResolver(ZONE).mx("null.example")).records == ((0, ""),)


def test_no_data_is_not_no_such_name():
    dns = FakeResolver(ZONE)
    assert run(dns.mx("192.0.2.1")).exists and not run(dns.mx("192.0.2.1")).records
    assert not run(dns.mx("absent.example")).exists


def test_addresses_in_the_order_of_the_families_asked_for():
    dns = FakeResolver(ZONE)
    assert run(dns.addresses("example.com")).records == ("192.0.2.1", "2001:db8::1")
    assert run(dns.addresses("example.com", ("ipv6", "ipv4"))).records == ("2001:db8::1", "192.0.2.1")
    assert run(dns.addresses("2001:db8::5")).records == ("2001:db8::5",)
    assert run(dns.addresses("2001:db8::5", ("ipv4",))).records == ()


def test_a_failure_is_temporary_unless_something_was_found():
    dns = FakeResolver(ZONE)
    with pytest.raises(TemporaryError):
        run(dns.mx("down.example"))
    with pytest.raises(TemporaryError):
        run(dns.addresses("half.example", ("ipv6",)))
    assert run(dns.addresses("half.example")).records == ("192.0.2.9",)


def test_security_and_queries_are_visible():
    dns = FakeResolver(ZONE, secure=["example.com"])
    assert run(dns.mx("example.com")).secure and not run(dns.mx("null.example")).secure
    assert run(dns.ptr("192.0.2.1")).records == ("example.com",)
    assert dns.queries == [("MX", "example.com"), ("MX", "null.example"), ("PTR", "192.0.2.1")]
