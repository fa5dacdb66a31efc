"""What a server offers."""

import pytest

from mailer.wire.smtp.offers import parse_offers

FULL = (
    "250-mx.example Hello me\n250-PIPELINING\n250-SIZE 1000\n250-STARTTLS\n250-AUTH PLAIN LOGIN\n250-AUTH=LOGIN XYZ\n"
    "250-8bitmime\n250-DSN\n250-XFORWARD NAME addr\n250-UNKNOWN thing\n250 SMTPUTF8"
)


def test_everything():
    offers = parse_offers(FULL)
    assert offers.host == "mx.example" and offers.esmtp
    assert offers.pipelining and offers.eightbit and offers.dsn and offers.starttls and offers.smtputf8
    assert (offers.size_limit, offers.bad_size) == (1000, "")
    assert offers.auth == ("PLAIN", "LOGIN", "XYZ")
    assert offers.xforward == {"NAME", "ADDR"}


def test_ignored_keywords_are_not_offered():
    offers = parse_offers(FULL, {"pipelining", "auth", "size", "8bitmime"})
    assert not offers.pipelining and not offers.auth and not offers.size and not offers.eightbit and offers.dsn


@pytest.mark.parametrize(
    "line, limit, bad",
    [
        ("SIZE", 0, ""),
        ("SIZE 0", 0, ""),
        ("SIZE=5", 5, ""),
        ("SIZE x", 0, "x"),
        ("SIZE -1", 0, "-1"),
        ("SIZE \u0665", 0, "\u0665"),
    ],
)
def test_sizes(line, limit, bad):
    offers = parse_offers(f"250-h\n250 {line}")
    assert offers.size and (offers.size_limit, offers.bad_size) == (limit, bad)


@pytest.mark.parametrize("text", ["250", "250 ", "250-\n250 ", "250 h\n250", "250-h\n250-\n250 x"])
def test_nothing_offered(text):
    offers = parse_offers(text)
    assert not (offers.pipelining or offers.size or offers.auth)


def test_arguments_without_end_are_bounded():
    assert len(parse_offers("250-h\n250 AUTH " + "A B C " * 10_000).auth) < 100
