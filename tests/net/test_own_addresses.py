"""Which addresses are ours."""

from mailer.net.own_addresses import own_addresses


def test_the_loopback_address_is_always_there():
    assert "127.0.0.1" in own_addresses(["all"])


def test_what_the_words_mean():
    assert own_addresses(["loopback-only"]) == {"127.0.0.1", "::1"}
    assert own_addresses(["loopback-only"], ["ipv4"]) == {"127.0.0.1"}
    assert own_addresses(["loopback-only"], ["all"]) == {"127.0.0.1", "::1"}
    assert own_addresses(["192.0.2.1", "[2001:db8::1]", "[IPv6:2001:db8::2]"]) == {
        "192.0.2.1",
        "2001:db8::1",
        "2001:db8::2",
    }
    assert own_addresses(["all"]) >= own_addresses(["127.0.0.1"])
    assert own_addresses(["no such host.invalid"]) == frozenset()
