"""Settings: typed, lazy, per service, immutable; and the defaults that the machine decides."""

import ipaddress

import pytest

from mailer.config.errors import ConfigError
from mailer.config.load import from_text, load
from mailer.config.machine import Interface, Machine, read_interfaces


def interface(text):
    parsed = ipaddress.ip_interface(text)
    return Interface(parsed.ip, parsed.network.prefixlen)


NAMES = {"mail.example": ("10.2.3.4",), "elsewhere.example": ("198.51.100.1",)}
MACHINE = Machine(
    hostname=lambda: "host",
    interfaces=lambda: tuple(
        interface(text)
        for text in ("127.0.0.1/8", "10.2.3.4/22", "172.16.1.1/12", "192.0.2.5/24", "::1/128", "2001:db8::5/48")
    ),
    addresses_of=lambda name: tuple(ipaddress.ip_address(text) for text in NAMES.get(name, ())),
)


def settings(main="", **more):
    return from_text(main, machine=MACHINE, **more).settings


def test_typed_values():
    found = settings("message_size_limit = 5000\nmaximal_queue_lifetime = 2\nmydestination = a, b\n  c\nbiff = no\n")
    assert found.message_size_limit == 5000
    assert found.maximal_queue_lifetime == 2 * 86400.0
    assert found.mydestination == ("a", "b", "c")
    assert found.biff is False
    assert found.smtpd_timeout == 300.0  # a default with an expression in it
    assert found.value("2bounce_notice_recipient") == "postmaster"


def test_a_value_is_worked_out_once():
    found = settings("mydestination = $myhostname")
    assert "mydestination" not in vars(found)
    first = found.mydestination
    assert vars(found)["mydestination"] is first and found.mydestination is first


def test_settings_do_not_change():
    found = settings("biff = no")
    with pytest.raises(AttributeError, match="with_overrides"):
        found.biff = True
    with pytest.raises(AttributeError):
        del found.biff
    other = found.with_overrides({"biff": "yes"})
    assert (found.biff, other.biff) == (False, True)
    assert other.where("biff") == "override"


def test_an_unknown_name_suggests():
    with pytest.raises(AttributeError, match="did you mean message_size_limit"):
        _ = settings().message_size_limt


def test_a_wrong_value_has_a_place():
    with pytest.raises(ConfigError) as caught:
        _ = settings("\nbiff = perhaps").biff
    assert str(caught.value) == "main.cf, line 2: bad boolean configuration: biff = perhaps (write yes or no)"


def test_texts():
    found = settings("mine = $myhostname/${biff}\nmyhostname = a.example")
    assert found.text("mine") == "a.example/yes"
    assert found.raw("mine") == "$myhostname/${biff}"
    assert found.where("mine") == "main.cf:1"
    assert found.where("biff") == "default"
    assert found.is_set("mine") and not found.is_set("biff")
    with pytest.raises(KeyError):
        found.text("theirs")


def test_raw_parameters_are_left_alone():
    assert settings().text("default_rbl_reply").startswith(" Service unavailable")  # on request only
    assert settings().default_rbl_reply.startswith("$rbl_code Service unavailable")


def test_per_transport_parameters():
    found = settings("smtp_destination_concurrency_limit = 7\ndefault_destination_rate_delay = 3\nx_time_limit = 1m")
    assert found.transport("smtp", "destination_concurrency_limit") == 7
    assert found.transport("local", "destination_concurrency_limit") == 2  # declared on its own
    assert found.transport("other", "destination_concurrency_limit") == 20
    assert found.transport("other", "destination_rate_delay") == 3.0
    assert found.transport("x", "time_limit") == 60.0
    assert found.transport("y", "time_limit") == 1000.0
    with pytest.raises(AttributeError):
        found.transport("smtp", "destination_limit")
    with pytest.raises(ConfigError, match="main.cf, line 1: bad numerical configuration: a_b_recipient_limit = x"):
        settings("a_b_recipient_limit = x").transport("a_b", "recipient_limit")


def test_compatibility_levels_decide_defaults():
    assert settings().append_dot_mydomain is True or settings().append_dot_mydomain is False
    old, new = settings("compatibility_level = 0"), settings("compatibility_level = 3.6")
    assert (old.text("smtpd_tls_fingerprint_digest"), new.text("smtpd_tls_fingerprint_digest")) == ("md5", "sha256")


@pytest.mark.parametrize(
    ("main", "hostname", "domain"),
    [
        ("", "host.localdomain", "localdomain"),
        ("mydomain = b.example", "host.b.example", "b.example"),
        ("myhostname = a.b.example", "a.b.example", "b.example"),
        ("myhostname = a", "a", "localdomain"),
        ("myhostname = a.$mydomain\nmydomain = b", "a.b", "b"),
        ("myhostname = a.$mydomain", "a.", ""),
        ("mydomain = $myhostname", "host.", "host."),
    ],
)
def test_names_of_the_host(main, hostname, domain):
    assert (settings(main).text("myhostname"), settings(main).text("mydomain")) == (hostname, domain)


@pytest.mark.parametrize(
    ("main", "networks"),
    [
        ("mynetworks_style = host\ninet_protocols = ipv4", "127.0.0.1/32 10.2.3.4/32 172.16.1.1/32 192.0.2.5/32"),
        ("mynetworks_style = subnet\ninet_protocols = ipv4", "127.0.0.0/8 10.2.0.0/22 172.16.0.0/12 192.0.2.0/24"),
        ("mynetworks_style = class\ninet_protocols = ipv4", "127.0.0.0/8 10.0.0.0/8 172.16.0.0/16 192.0.2.0/24"),
        ("mynetworks_style = subnet\ninet_protocols = ipv6", "[::1]/128 [2001:db8::]/48"),
        ("mynetworks_style = host\ninet_interfaces = loopback-only", "127.0.0.1/32 [::1]/128"),
        ("mynetworks_style = host\ninet_interfaces = [::1], 192.0.2.5", "[::1]/128 192.0.2.5/32"),
        ("mynetworks_style = host\ninet_interfaces = mail.example", "10.2.3.4/32"),
        ("mynetworks = 10.0.0.0/8", "10.0.0.0/8"),
    ],
)
def test_mynetworks(main, networks):
    assert " ".join(settings(main).mynetworks) == networks


@pytest.mark.parametrize(
    ("main", "problem"),
    [
        ("inet_interfaces = 192.0.2.77", "inet_interfaces: no local interface found for 192.0.2.77"),
        ("inet_interfaces = elsewhere.example", "inet_interfaces: no local interface found for 198.51.100.1"),
        ("inet_interfaces = nosuch.example", "config variable inet_interfaces: host not found: nosuch.example"),
        ("inet_protocols = ipv5", 'unknown inet_protocols value "ipv5" in "ipv5"'),
        ("mynetworks_style = planet", 'unknown mynetworks mask style value "planet" in "planet"'),
    ],
)
def test_mynetworks_errors(main, problem):
    with pytest.raises(ConfigError) as caught:
        _ = settings(main).mynetworks
    assert problem in caught.value.problem


def test_the_machine_has_a_loopback_interface():
    assert ipaddress.ip_address("127.0.0.1") in {interface.address for interface in read_interfaces()}


MASTER = """\
smtp inet n - n - - smtpd
sub inet n - n - - smtpd -o syslog_name=postfix/$service_name -o smtpd_timeout=$short -o short=5
"""


def test_services_have_their_own_settings():
    configuration = from_text("smtpd_timeout = 60", MASTER, machine=MACHINE)
    smtp, sub = (configuration.for_service(service) for service in configuration.services)
    assert (smtp.smtpd_timeout, sub.smtpd_timeout) == (60.0, 5.0)
    assert (smtp.syslog_name, sub.syslog_name) == ("postfix", "postfix/sub")
    assert (sub.service_name, sub.process_name) == ("sub", "smtpd")
    assert sub.where("smtpd_timeout") == "master.cf:2"
    assert configuration.service("sub", "inet").name == "sub"
    with pytest.raises(KeyError):
        configuration.service("sub", "unix")


def test_load(tmp_path):
    with pytest.raises(ConfigError, match="main.cf: No such file"):
        load(tmp_path)
    (tmp_path / "main.cf").write_bytes(b"mail_name = caf\xc3\xa9\nmydestination = \xff\n")
    with pytest.raises(ConfigError, match="master.cf: No such file"):
        load(tmp_path)
    assert load(tmp_path, need_master=False).services == ()
    (tmp_path / "master.cf").write_text(MASTER)
    configuration = load(tmp_path, overrides={"biff": "no"}, machine=MACHINE)
    assert configuration.settings.mail_name == "café"
    assert configuration.settings.mydestination == ("\udcff",)
    assert configuration.settings.config_directory == str(tmp_path)
    assert configuration.settings.where("mail_name") == f"{tmp_path}/main.cf:1"
    assert configuration.settings.biff is False
    assert configuration.services[0].file == f"{tmp_path}/master.cf"


def test_myorigin_may_be_a_file(tmp_path):
    (tmp_path / "mailname").write_text("mail.example\nmore\n")
    found = settings(f"myorigin = {tmp_path}/mailname\nx = $myorigin")
    assert (found.myorigin, found.text("x"), found.where("myorigin")) == ("mail.example", "mail.example", "main.cf:1")
    with pytest.raises(ConfigError, match="main.cf, line 2: parameter myorigin: open /nonexistent/x: No such file"):
        settings("\nmyorigin = /nonexistent/x")
