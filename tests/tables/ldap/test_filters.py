"""Filters as text, names and URLs."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.tables.expansion import Template
from mailer.tables.ldap.ber import children, octets, packed
from mailer.tables.ldap.filters import PRESENT, BadFilter, FilterTemplate, compile_filter, quote_filter
from mailer.tables.ldap.names import quote_dn
from mailer.tables.ldap.urls import BadUrl, is_url, parse_location, parse_url


def equality(name, value):
    return packed(0xA3, octets(name.encode()) + octets(value))


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("a=b", equality("a", b"b")),
        ("(a=b)", equality("a", b"b")),
        (" (a=b) ", equality("a", b"b")),
        ("(a= b )", equality("a", b" b ")),
        ("(a=)", equality("a", b"")),
        ("(a;x-y=b=c)", equality("a;x-y", b"b=c")),
        ("(1.2.3=b)", equality("1.2.3", b"b")),
        (r"(a=\2a\28\5C\00\))", equality("a", b"*(\\\0)")),
        ("(a=ü)", equality("a", "ü".encode())),
        ("(a=*)", packed(0x87, b"a")),
        ("(a>=b)", packed(0xA5, octets(b"a") + octets(b"b"))),
        ("(a<=b)", packed(0xA6, octets(b"a") + octets(b"b"))),
        ("(a~=b)", packed(0xA8, octets(b"a") + octets(b"b"))),
        (
            "(a=x*y**z)",
            packed(0xA4, octets(b"a") + packed(0x30, octets(b"x", 0x80) + octets(b"y", 0x81) + octets(b"z", 0x82))),
        ),
        ("(a=*y*)", packed(0xA4, octets(b"a") + packed(0x30, octets(b"y", 0x81)))),
        ("(& (a=b) (c=d) )", packed(0xA0, equality("a", b"b") + equality("c", b"d"))),
        ("(|(a=b))", packed(0xA1, equality("a", b"b"))),
        ("(!(a=b))", packed(0xA2, equality("a", b"b"))),
        ("(&)", packed(0xA0, b"")),
        ("(a:=b)", packed(0xA9, octets(b"a", 0x82) + octets(b"b", 0x83))),
        (
            "(a:dn:2.5:=b)",
            packed(0xA9, octets(b"2.5", 0x81) + octets(b"a", 0x82) + octets(b"b", 0x83) + b"\x84\x01\xff"),
        ),
        ("(:rule:=b)", packed(0xA9, octets(b"rule", 0x81) + octets(b"b", 0x83))),
        ("(objectclass=*)", PRESENT),
    ],
)
def test_filters(text, encoded):
    assert compile_filter(text) == encoded


@pytest.mark.parametrize(
    "text",
    ["", "a", "(a=b", "(a=b))", "((a=b))", "(&(a=b)", "(!(a=b)(c=d))", "(=b)", "(a b=c)", "(a=b(c)", r"(a=\zz)", r"(a=b\)",
     "(a=**)", "(:=x)", "(&" * 200 + "(a=b)" + ")" * 200, "(a=b)(c=d)", "&(a=b)(c=d)"],
)  # fmt: skip
def test_what_is_no_filter(text):
    with pytest.raises(BadFilter):
        compile_filter(text)


OCTETS = st.binary(max_size=40).map(lambda data: data.decode("utf-8", "surrogateescape"))


@given(OCTETS)
@settings(max_examples=100, deadline=None)
def test_quoted_text_stands_for_itself(text):
    encoded = compile_filter(f"(&(mail={quote_filter(text)})(x=y))")
    (whole,) = children(encoded, 0, len(encoded))
    first, second = children(encoded, whole[1], whole[2])
    _, value = children(encoded, first[1], first[2])
    assert first[0] == second[0] == 0xA3
    assert encoded[value[1] : value[2]] == text.encode("utf-8", "surrogateescape")


@given(OCTETS)
@settings(max_examples=100, deadline=None)
def test_quoted_names_hold_nothing_special(text):
    quoted = quote_dn(text)
    rest = re.sub(r"\\[0-9A-F]{2}", "", quoted)
    assert not set(rest) & set(',+"\\<>;\0\n\r') and rest.strip(" ") == rest
    assert re.sub(r"\\([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), quoted) == text


def test_names_are_quoted_as_postfix_does():
    assert quote_dn('#,+"\\<>;=x ') == "\\23\\2C\\2B\\22\\5C\\3C\\3E\\3B=x\\20"
    assert quote_dn(" x") == "\\20x" and quote_dn("a\tb") == "a\\09b" and quote_dn("plain@x.y") == "plain@x.y"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", ("ldap", "localhost", 3890, "ldap://localhost:3890")),
        ("h:77", ("ldap", "h", 77, "ldap://h:77")),
        ("2001:db8::1", ("ldap", "2001:db8::1", 3890, "ldap://[2001:db8::1]:3890")),
        ("ldap://h", ("ldap", "h", 389, "ldap://h")),
        ("LDAPS://h:77/dc=x", ("ldaps", "h", 77, "LDAPS://h:77/dc=x")),
        ("ldaps://[::1]", ("ldaps", "::1", 636, "ldaps://[::1]")),
        ("ldapi://%2Ftmp%2Fx", ("ldapi", "/tmp/x", 0, "ldapi://%2Ftmp%2Fx")),
        ("ldapi:///", ("ldapi", "/var/run/slapd/ldapi", 0, "ldapi:///")),
        ("ldap:///", ("ldap", "localhost", 389, "ldap:///")),
    ],
)
def test_servers(text, expected):
    location = parse_location(text, 3890)
    assert (location.scheme, location.host, location.port, location.name) == expected


@pytest.mark.parametrize("text", ["http://x", "h:0", "h:x", "ldap://h:99999", "ldap://[::1", "ldap://h%2"])
def test_what_is_no_server(text):
    with pytest.raises(BadUrl):
        parse_location(text, 389)


def test_urls_of_entries():
    url = parse_url("ldap://h:5/dc=x%2Cy?a,b;o?SUB?(x=%2a)?ext")
    assert (url.location.host, url.dn, url.attributes, url.scope) == ("h", "dc=x,y", ("a", "b;o"), 2)
    assert url.filter == packed(0x87, b"x")
    url = parse_url("ldap:///cn=x")
    assert (url.location, url.scope, url.search_scope, url.search_filter) == (None, None, 0, PRESENT)
    assert is_url("LDAPI://x") and not is_url("ldap:x") and not is_url("cn=x") and not is_url(" ldap://x")
    for wrong in ("ldap:///x??up", "ldap:///x???(a", "ldap:///%zz", "x"):
        with pytest.raises(BadUrl):
            parse_url(wrong)


TEMPLATES = [
    "mail=%s",
    "(&(objectClass=x)(|(mail=%s)(mail=%u@*%d*)(!(cn=%u-%u)))(a>=%s))",
    "(mail:rule:=%s)",
    "%s",
    "(%u=x)",
]


@pytest.mark.parametrize("text", TEMPLATES)
@given(key=OCTETS)
@settings(max_examples=40, deadline=None)
def test_templates_give_what_their_text_gives(text, key):
    template = Template(text, "t")
    expanded = template.expand(key, quote=quote_filter)
    try:
        expected = None if expanded is None else compile_filter(expanded)
    except BadFilter:
        with pytest.raises(BadFilter):
            FilterTemplate(template).compile(key)
    else:
        assert FilterTemplate(template).compile(key) == expected
