"""The order in which servers are tried. What failures mean is among the recorded deliveries."""

from random import Random

import pytest

from mailer.deliver.smtp.destination import Destination
from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.route import Address, Finder, balanced
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog
from mailer.testing.tables import answer


def find(zone, name="x.example", mx=True, own=(), detect=True, seed=1, **parameters):
    finder = Finder(ClientParameters(**parameters), FakeResolver(zone), RecordingLog(), Random(seed), own.__contains__)
    return answer(finder.find(Destination(name, name, 25, mx), detect))


MANY = {
    "x.example": {"MX": [(10, "a.example"), (10, "b.example"), (20, "c.example")]},
    "a.example": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    "b.example": {"A": ["192.0.2.2"]},
    "c.example": {"A": ["192.0.2.3"], "AAAA": ["2001:db8::3"]},
}


def test_equal_preference_is_decided_by_chance_and_better_preference_goes_first():
    orders = {tuple(each.address for each in find(MANY, seed=seed).addresses) for seed in range(50)}
    assert len(orders) > 4
    for order in orders:
        assert set(order[:3]) == {"192.0.2.1", "2001:db8::1", "192.0.2.2"}


def test_without_chance_the_order_is_that_of_the_answers():
    addresses = find(MANY, randomize_addresses=False).addresses
    assert [each.address for each in addresses] == ["192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.3", "2001:db8::3"]


@pytest.mark.parametrize("preferred, first", [("ipv6", "2001:db8::1"), ("ipv4", "192.0.2.")])
def test_a_family_may_be_preferred_among_equals(preferred, first):
    for seed in range(10):
        route = find(MANY, seed=seed, address_preference=preferred)
        assert route.addresses[0].address.startswith(first)
        assert [each.preference for each in route.addresses] == [10, 10, 10, 20, 20]


def test_only_the_families_in_use_are_looked_up():
    assert [each.family for each in find(MANY, inet_protocols=("ipv6",)).addresses] == ["ipv6", "ipv6"]


def test_a_literal_of_a_family_not_in_use_is_no_address():
    assert not find({}, "2001:db8::1", mx=False, inet_protocols=("ipv4",)).addresses


def test_each_address_says_which_answers_were_validated():
    resolver = FakeResolver(MANY, secure=MANY)
    finder = Finder(ClientParameters(), resolver, RecordingLog(), Random(1), lambda address: False)

    def found():
        route = answer(finder.find(Destination("x.example", "x.example", 25, True), True))
        return {each.host: (each.secure, each.insecure_mx) for each in route.addresses}

    assert set(found().values()) == {(True, False)}
    resolver.secure.discard("c.example")
    assert found()["c.example"] == (False, False) and (True, False) in found().values()
    resolver.secure.discard("x.example")
    assert {insecure for _, insecure in found().values()} == {True}


def test_what_the_system_knows_of_a_host_is_not_validated():
    resolver = FakeResolver(MANY, secure=MANY)
    parameters = ClientParameters(host_lookup=("native",))
    finder = Finder(parameters, resolver, RecordingLog(), Random(1), lambda address: False)
    route = answer(finder.find(Destination("x.example", "x.example", 25, True), True))
    assert not any(each.secure for each in route.addresses)


def test_international_domains_are_looked_up_in_ascii():
    zone = {"xn--bcher-kva.example": {"A": ["192.0.2.1"]}}
    assert find(zone, "b\u00fccher.example").addresses[0].address == "192.0.2.1"


def test_a_name_that_cannot_be_is_a_permanent_failure():
    route = find({}, "no such.example")
    assert route.reason.status == "5.4.4" and not route.addresses


def addresses(families):
    return [Address("h", "192.0.2.1" if family == "4" else "2001:db8::1") for family in families]


@pytest.mark.parametrize(
    "families, limit, first",
    [
        ("444444", 4, "4444"),
        ("44", 4, "44"),
        ("444466", 4, "4466"),
        ("444446", 4, "4446"),
        ("666664", 4, "6664"),
        ("66666444", 5, "66444"),
        ("6666444", 0, "6666444"),
    ],
)
def test_neither_protocol_crowds_out_the_other(families, limit, first):
    got = balanced(addresses(families), limit)
    assert "".join(each.family[-1] for each in got)[: limit or None] == first
    assert len(got) == len(families)
