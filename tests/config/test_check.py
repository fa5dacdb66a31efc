"""Everything that is wrong is told at once, with its place."""

import pytest

from mailer.config import check as module
from mailer.config.check import check
from mailer.config.load import from_text

SUPPORTED = {
    "biff",
    "message_size_limit",
    "mynetworks",
    "mynetworks_style",
    "myhostname",
    "mydomain",
    "smtpd_client_restrictions",
    "smtpd_restriction_classes",
    "smtpd_timeout",
    "transport_destination_rate_delay",
    "virtual_alias_maps",
}


@pytest.fixture(autouse=True)
def supported(monkeypatch):
    monkeypatch.setattr(module, "SUPPORTED", SUPPORTED)


def findings(main="", master=""):
    return [f"{problem.severity}: {problem}" for problem in check(from_text(main, master))]


def test_nothing_wrong():
    assert findings("biff = no\nmyhostname = a.example\n", "smtp inet n - - - - smtpd -o biff=yes\n") == []


def test_every_wrong_value_is_an_error():
    main = "biff = perhaps\nmessage_size_limit = 1x\nmyhostname = a b\nmynetworks_style = ${x\n"
    master = "smtp unix - - - - - smtp\nsubmission inet n - - - - smtpd\n  -o smtpd_timeout=5q\n"
    assert findings(main + "smtp_destination_rate_delay = q\n", master) == [
        "error: main.cf, line 1: bad boolean configuration: biff = perhaps (write yes or no)",
        "error: main.cf, line 2: bad numerical configuration: message_size_limit = 1x (write a decimal number)",
        "error: main.cf, line 3: parameter myhostname: bad parameter value: a b"
        " (invalid character ' '; write host.domain.example)",
        'error: main.cf, line 4: truncated macro reference: "${x" (a "}" is missing)',
        "error: main.cf, line 5: parameter smtp_destination_rate_delay: bad time value or unit: q"
        " (write a number and one of s m h d w, for example 5s)",
        "error: master.cf, line 2: parameter smtpd_timeout: bad time value or unit: 5q"
        " (write a number and one of s m h d w, for example 5s)",
    ]


def test_what_somebody_set_may_spoil_a_default():
    assert findings("inet_interfaces = 192.0.2.77\n")[0] == (
        "error: parameter inet_interfaces: no local interface found for 192.0.2.77"
        " (name an address of this machine, all or loopback-only)"
    )


def test_unknown_names_are_warned_about():
    assert findings("virtual_alias_map = x\nzz = 1\n") == [
        "warning: main.cf, line 1: unused parameter: virtual_alias_map=x (did you mean virtual_alias_maps?)",
        "warning: main.cf, line 2: unused parameter: zz=1",
    ]


def test_unsupported_names_are_warned_about_unless_they_change_nothing():
    assert findings("soft_bounce = yes\nbounce_size_limit = 50000\nhtml_directory = no\n") == [
        "warning: main.cf, line 1: parameter is not supported yet: soft_bounce"
    ]
    assert findings("", "x unix - - - - - lmtp -o soft_bounce=yes -o lmtp_line_length_limit=1x") == [
        "warning: master.cf, line 1: bad numerical configuration: lmtp_line_length_limit = 1x (write a decimal number)",
        "warning: master.cf, line 1: parameter is not supported yet: soft_bounce",
        "warning: master.cf, line 1: parameter is not supported yet: lmtp_line_length_limit",
    ]


def test_made_up_names_that_are_used_are_fine():
    main = """\
a = $b
b = ${c?{$d}}
c = 1
d = permit
smtpd_client_restrictions = $a, class
smtpd_restriction_classes = class
class = $mine
mine = reject
virtual_alias_maps = proxy:ldap:people
people_server_host = h
people_search_base = $base
base = dc=example
x_destination_rate_delay = 1
mua = permit
"""
    master = "x unix - - - - - pipe\nsub inet n - - - - smtpd -o smtpd_client_restrictions=$mua,$own -o own=reject\n"
    assert findings(main, master) == []
    assert len(findings(main)) == 2  # the service x and the reference to mua are gone


def test_read_only_names():
    assert findings("process_name = x\n") == [
        "warning: main.cf, line 1: read-only parameter assignment: process_name=x"
    ]


def test_what_parsing_found_is_told_too():
    assert findings("biff = no\nbiff = yes\n") == ["warning: main.cf, line 2: overriding earlier entry: biff=no"]


def test_obsolete_names():
    assert findings("sender_based_routing = yes\n") == [
        "warning: main.cf, line 1: unused parameter: sender_based_routing=yes (obsolete)"
    ]
