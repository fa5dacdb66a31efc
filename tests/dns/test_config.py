"""resolv.conf and hosts: what they say, and that a change is noticed."""

import os

import pytest

from mailer.dns.config import Hosts, Resolv, Watched, parse_hosts, parse_resolv


def test_an_empty_file_means_the_server_on_this_machine():
    assert parse_resolv("") == Resolv((("127.0.0.1", 53),), (), 1, 5.0, 2, False)


def test_everything_that_a_file_can_say():
    text = """
# comment
domain Old.example
search One.example two.example.   ; the later line counts
nameserver 192.0.2.1
nameserver 2001:db8::1
nameserver nonsense
options ndots:3 timeout:2 attempts:4 rotate edns0
"""
    assert parse_resolv(text) == Resolv(
        (("192.0.2.1", 53), ("2001:db8::1", 53)), ("one.example", "two.example"), 3, 2.0, 4, True
    )


@pytest.mark.parametrize(
    "option, attribute, value",
    [
        ("timeout:999", "timeout", 30.0),
        ("timeout:x", "timeout", 5.0),
        ("attempts:0", "attempts", 1),
        ("ndots:99999999999", "ndots", 1),
        ("ndots", "ndots", 1),
    ],
)
def test_options_are_bounded(option, attribute, value):
    assert getattr(parse_resolv(f"options {option}"), attribute) == value


def test_no_more_servers_than_the_system_would_ask():
    text = "".join(f"nameserver 192.0.2.{n}\n" for n in range(1, 9))
    assert len(parse_resolv(text).servers) == 3


def test_hosts_both_ways():
    hosts = parse_hosts(
        "127.0.0.1 localhost Box.example # us\n::1 localhost\nbad line\n127.0.0.1 localhost\n2001:DB8:0::5 six\n10.0.0.1\n"
    )
    assert hosts.addresses == {
        "localhost": ("127.0.0.1", "::1"),
        "box.example": ("127.0.0.1",),
        "six": ("2001:db8::5",),
    }
    assert hosts.names["127.0.0.1"][:2] == ("localhost", "Box.example")
    assert hosts.names["2001:db8::5"] == ("six",)


def test_a_changed_file_is_read_again_but_not_looked_at_all_the_time(tmp_path):
    path, now = tmp_path / "hosts", [0.0]
    watched = Watched(str(path), parse_hosts, lambda: now[0])
    assert watched.get() == Hosts()
    path.write_text("192.0.2.1 a.example\n")
    assert watched.get() == Hosts()
    now[0] = 1.0
    first = watched.get()
    assert first.addresses == {"a.example": ("192.0.2.1",)}
    now[0] = 2.0
    assert watched.get() is first
    path.write_text("192.0.2.99 b.example\n")
    os.utime(path, ns=(1, 1))
    now[0] = 3.0
    assert watched.get().addresses == {"b.example": ("192.0.2.99",)}
    path.unlink()
    now[0] = 4.0
    assert watched.get() == Hosts()


def test_a_file_that_goes_out_of_reach_is_read_for_the_last_time(tmp_path):
    now = [0.0]
    path = tmp_path / "hosts"
    path.write_text("192.0.2.1 old.example\n")
    watched = Watched(str(path), parse_hosts, lambda: now[0])
    watched.get()
    path.write_text("192.0.2.12 new.example\n")
    watched.settle()
    path.unlink()
    now[0] = 100.0
    assert watched.get().names == {"192.0.2.12": ("new.example",)}
