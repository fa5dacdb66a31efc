"""master.cf to a plan."""

import ipaddress

import pytest

from mailer.config.errors import ConfigError
from mailer.config.load import from_text
from mailer.master.plan import make_plan

TRANSPORTS = ["smtp", "virtual", "error"]


def plan(master, main="inet_protocols = all\n", names=None):
    names = names or {}

    def resolve(name):
        return [ipaddress.ip_address(text) for text in names.get(name, [])]

    return make_plan(from_text(main, master), TRANSPORTS, resolve)


def texts(plan):
    return [problem.text for problem in plan.problems]


def test_inet_interfaces_and_protocols_choose_the_addresses():
    def addresses(main, name="2525", **names):
        (listener,) = plan(f"{name} inet n - n - - smtpd", main, names).listeners
        return listener.addresses

    both = "inet_protocols = ipv4, ipv6\n"
    assert addresses(both) == (("0.0.0.0", 2525), ("::", 2525))
    assert addresses("inet_protocols = ipv4\n") == (("0.0.0.0", 2525),)
    assert addresses(both + "inet_interfaces = loopback-only\n") == (("127.0.0.1", 2525), ("::1", 2525))
    assert addresses(both + "inet_interfaces = h, 192.0.2.9\n", h=["192.0.2.1"]) == (
        ("192.0.2.1", 2525),
        ("192.0.2.9", 2525),
    )
    assert addresses(both, "[::1]:26") == (("::1", 26),)
    assert addresses(both, "127.0.0.1:smtp") == (("127.0.0.1", 25),)


def test_an_unknown_host_and_no_address_are_errors():
    with pytest.raises(ConfigError, match="host not found: nowhere"):
        plan("nowhere:25 inet n - n - - smtpd")
    assert texts(plan("[::1]:25 inet n - n - - smtpd", "inet_protocols = ipv4\n")) == [
        "service [::1]:25: inet_protocols (ipv4) leaves no address to listen on"
    ]


def test_transports_carry_their_limit_and_their_overrides():
    result = plan("slow unix - - n - 3 smtp -o smtp_helo_timeout=7\nrelay unix - - n - - smtp\nbig unix - - n - 0 smtp")
    assert [(t.service.name, t.limit) for t in result.transports] == [("slow", 3), ("relay", None), ("big", None)]
    assert result.transports[0].settings.smtp_helo_timeout == 7


def test_inner_services_keep_their_settings():
    result = plan("strict unix n - n - 0 cleanup -o message_size_limit=7\npickup unix n - n 9 1 pickup")
    assert result.settings_for("cleanup", "strict").message_size_limit == 7
    assert result.settings_for("cleanup", "cleanup") is result.configuration.settings
    assert result.pickup_interval == 9


def test_what_is_unknown_is_told_with_its_place():
    (problem,) = plan("\nodd unix - - n - - virtaul").problems
    assert str(problem).startswith(
        "master.cf, line 2: service odd: no transport plug-in is named virtaul; did you mean virtual?"
    )


def test_postscreen_has_the_socket_and_an_smtp_server_behind_it():
    result = plan(
        "127.0.0.1:25 inet n - n - 1 postscreen -o smtpd_timeout=9\n"
        "smtpd pass - - n - - smtpd -o smtpd_timeout=5\n"
        "dnsblog unix - - n - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy"
    )
    (listener,) = result.listeners
    assert listener.addresses == (("127.0.0.1", 25),)
    assert listener.settings.smtpd_timeout == 9
    assert listener.behind.settings.smtpd_timeout == 5
    assert not texts(result)


def test_postscreen_without_its_smtp_server_is_one_itself():
    result = plan("127.0.0.1:25 inet n - n - 1 postscreen\nother pass - - n - - smtpd")
    (listener,) = result.listeners
    assert listener.behind is None
    assert "master.cf has no service smtpd of type pass; its clients are not tested" in texts(result)[0]
