"""Text to typed values: what is accepted is what Postfix's programs accept."""

import pytest

from mailer.config.declaration import Kind, Parameter
from mailer.config.errors import ConfigError
from mailer.config.values import convert, split_list


def parameter(kind, **more):
    return Parameter(more.pop("name", "p"), kind, "", "", "", **more)


def refused(text, kind, **more):
    with pytest.raises(ConfigError) as caught:
        convert(parameter(kind, **more), text)
    return caught.value.problem


def test_booleans():
    assert convert(parameter(Kind.BOOLEAN), "YES") is True
    assert convert(parameter(Kind.BOOLEAN), "no") is False
    for text in ("true", "", "1", "yes # x"):
        assert refused(text, Kind.BOOLEAN) == f"bad boolean configuration: p = {text}"


def test_integers():
    for text, number in (("0", 0), ("+5", 5), ("-1", -1), ("0600", 600), ("9223372036854775807", 2**63 - 1)):
        assert convert(parameter(Kind.INTEGER), text) == number
    for text in ("", "1x", "0x10", "1 000", "1.5", "9223372036854775808", "9" * 5000, "١"):
        assert refused(text, Kind.INTEGER) == f"bad numerical configuration: p = {text}"
    assert refused("-1", Kind.INTEGER, minimum=0) == "invalid p parameter value -1 < 0"
    assert refused("7", Kind.INTEGER, maximum=6) == "invalid p parameter value 7 > 6"


def test_times():
    cases = (("5", "s", 5), ("5", "d", 432000), ("5m", "d", 300), ("1h", "s", 3600), ("2w", "s", 1209600))
    for text, unit, seconds in cases:
        value = convert(parameter(Kind.TIME, unit=unit), text)
        assert value == seconds and isinstance(value, float)
    # one letter after the number counts, what follows it does not
    assert convert(parameter(Kind.TIME), "5min") == 300
    assert convert(parameter(Kind.TIME), "s") == 0
    for text in ("", "5q", "5 s", "5S", "-5", "1.5h", "99999999999w", "2147483648", "0x10", "9" * 5000):
        assert refused(text, Kind.TIME) == f"parameter p: bad time value or unit: {text}"
    assert refused("0", Kind.TIME, minimum=1) == "invalid p: 0 (min 1)"
    assert refused("2h", Kind.TIME, maximum=3600) == "invalid p: 7200 (max 3600)"


def test_a_rate_delay_may_be_a_fraction_of_a_second():
    assert convert(parameter(Kind.TIME, name="smtp_destination_rate_delay"), "0.25s") == 0.25
    assert convert(parameter(Kind.TIME, name="smtp_destination_rate_delay"), ".5") == 0.5


def test_texts_have_bounds_in_bytes():
    assert convert(parameter(Kind.STRING, minimum=1), "x y") == "x y"
    assert refused("", Kind.STRING, minimum=1) == "bad string length 0 < 1: p = "
    assert refused("é=", Kind.STRING, maximum=2) == "bad string length 3 > 2: p = é="
    assert refused("", Kind.LIST, minimum=1) == "bad string length 0 < 1: p = "
    assert convert(parameter(Kind.RAW), "$x ${y}") == "$x ${y}"


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("", ()),
        (" a, b\tc\r\n,,d ", ("a", "b", "c", "d")),
        ("a {b, c} d", ("a", "{b, c}", "d")),
        ("inline:{ {a = b}, c=d }, e", ("inline:{ {a = b}, c=d }", "e")),
        ("check { a", ("check", "{ a")),
        ("a } b", ("a", "}", "b")),
    ],
)
def test_lists(text, members):
    assert split_list(text) == members


def test_choices_suggest():
    choice = {"choices": ("host", "subnet", "class")}
    assert convert(parameter(Kind.CHOICE, **choice), "host") == "host"
    with pytest.raises(ConfigError, match="did you mean subnet.*host, subnet, class"):
        convert(parameter(Kind.CHOICE, **choice), "subnets")
