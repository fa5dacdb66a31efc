"""master.cf text to services."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.config.errors import ConfigError
from mailer.config.mastercf import parse_master, split_endpoint


def one(text):
    (service,) = parse_master(text, "master.cf").services
    return service


def test_fields_and_their_defaults():
    service = one("smtp inet n - - - - smtpd\n")
    assert (service.name, service.type, service.command) == ("smtp", "inet", "smtpd")
    assert (service.private, service.unprivileged, service.chroot) == (False, True, False)
    assert (service.wakeup, service.wakeup_if_used, service.maxproc) == (0, False, None)
    service = one("q unix - n y 1000? 0 qmgr")
    assert (service.private, service.unprivileged, service.chroot) == (True, False, True)
    assert (service.wakeup, service.wakeup_if_used, service.maxproc) == (1000, True, 0)


def test_settings_and_arguments():
    service = one(
        "x unix - - - - - pipe -v -o a=b\n# comment\n  -vo c=d -oe=f\n  -o { g = h, {i} } -o a=z flags=R { two words } -o n=o\n"
    )
    assert {name: entry.value for name, entry in service.overrides.items()} == {
        "c": "d",
        "e": "f",
        "g": "h, {i}",
        "a": "z",
    }
    assert service.arguments == ("-v", "-v", "flags=R", "two words", "-o", "n=o")
    assert service.overrides["g"].file == "master.cf" and service.overrides["g"].line == 1


@pytest.mark.parametrize("front", ["--", "-", "user=x", "-n name x"])
def test_settings_stand_in_front(front):
    assert one(f"x unix - - - - - spawn {front} -o a=b").overrides == {}


def test_the_last_of_two_with_one_name_and_type_wins():
    parsed = parse_master("a unix - - - - - b\na inet - - - - - c\na unix - - - - - d\n", "master.cf")
    assert [service.command for service in parsed.services] == ["c", "d"]
    assert [(problem.severity, problem.line) for problem in parsed.problems] == [("warning", 3)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("\na unix - - - - -\n", "master.cf, line 2: bad field count"),
        ("a foo - - - - - x", 'invalid type field "foo"'),
        ("a unix x - - - - x", 'invalid private field "x"'),
        ("a unix - - Y - - x", 'invalid chroot field "Y"'),
        ("a unix - - - 5m - x", 'invalid wakeup field "5m"'),
        ("a unix - - - - -1 x", 'invalid process_limit field "-1"'),
        ("a unix - - - - - x -o", '"-o" needs a setting'),
        ("a unix - - - - - x -o y", "missing '=' after attribute name: \"y\""),
        ("a unix - - - - - x -o {y=z", "missing '}'"),
        ("a unix - - - - - x -o {y=z}c", "syntax error after '}'"),
        ("a:b:25 inet - - - - - x", "bad service name"),
        ("[::1] inet - - - - - x", "bad service name"),
    ],
)
def test_errors(text, problem):
    with pytest.raises(ConfigError) as caught:
        parse_master(text, "master.cf")
    assert problem in str(caught.value) and caught.value.line in (1, 2)


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("25", ("", "25")),
        ("smtp", ("", "smtp")),
        ("127.0.0.1:smtp", ("127.0.0.1", "smtp")),
        ("[::1]:25", ("::1", "25")),
        (":25", ("", "25")),
    ],
)
def test_endpoints(name, endpoint):
    assert split_endpoint(name) == endpoint


def test_ports():
    assert one("smtp inet n - - - - smtpd").port == 25
    assert one("[::1]:2525 inet n - - - - smtpd").port == 2525
    with pytest.raises(ConfigError, match="master.cf, line 1: unknown port"):
        _ = one("nosuchservice inet n - - - - smtpd").port


@given(st.text(alphabet="a=- \n#{}o?15y", max_size=60))
def test_anything_else_is_a_config_error(tail):
    for text in (tail, f"a unix - - - - - {tail}"):
        try:
            parse_master(text, "master.cf")
        except ConfigError as error:
            assert error.line
