"""Paths: what is an address, and which one. The recorded dialogues hold many more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.address import quote
from mailer.wire.smtp.path import PathError, parse_path, valid_hostname, valid_literal


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("<a@example.org>", "a@example.org"),
        ("<>", ""),
        ("<a@localhost>", "a@localhost"),
        ("<postmaster>", "postmaster"),
        ("<@relay.example,@other.example:a@example.org>", "a@example.org"),
        ('<"a b"@example.org>', "a b@example.org"),
        (r'<"a\"b"@example.org>', 'a"b@example.org'),
        ("<a@[192.0.2.1]>", "a@[192.0.2.1]"),
        ("<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]"),
        ("<a@example.org.>", "a@example.org."),
    ],
)
def test_strict_paths(text: str, address: str) -> None:
    assert parse_path(text, strict=True) == address
    assert parse_path(text) == address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a@example.org", "a@example.org"),
        ("<Some One <a@example.org>>", "a@example.org"),
        ("<a@example.org (comment)>", "a@example.org"),
        ("<a(nested (comment))@example.org>", "a@example.org"),
        ("<a@example.org", "a@example.org"),
    ],
)
def test_header_forms_are_taken_unless_strict(text: str, address: str) -> None:
    assert parse_path(text) == address
    with pytest.raises(PathError):
        parse_path(text, strict=True)


@pytest.mark.parametrize(
    "text",
    [
        "<a b@example.org>",
        "<a,b@example.org>",
        "<a@-example.org>",
        "<a@example..org>",
        "<a@192.0.2.1>",
        "<a@[192.0.2]>",
        "<a@[2001:db8::1]>",
        "<a@>",
        "<@>",
        "<a@" + "x" * 64 + ".org>",
        "<a@" + "x." * 130 + "org>",
        "<a@\u00e9.example>",
    ],
)
def test_no_address(text: str) -> None:
    with pytest.raises(PathError):
        parse_path(text)


def test_domains_in_other_letters_need_smtputf8() -> None:
    assert parse_path("<a@\u00e9.example>", utf8=True) == "a@\u00e9.example"


def test_numeric_domains_if_wanted() -> None:
    assert parse_path("<a@192.0.2.1>", numeric=True) == "a@192.0.2.1"


@given(st.text(alphabet='ab.@<>()[]"\\,;: \t\x01\u00e9', max_size=30), st.booleans())
def test_an_address_or_an_error(text: str, strict: bool) -> None:
    try:
        address = parse_path(text, strict)
    except PathError:
        return
    assert len(address) <= len(text) + 1


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="\r\n\t\0"), min_size=1, max_size=20))
def test_quoted_local_parts_come_back(local: str) -> None:
    address = f"{local}@example.org"
    assert parse_path(f"<{quote(address)}>", strict=False) == address


def test_hostnames() -> None:
    assert valid_hostname("example.org") and valid_hostname("a_b.x") and valid_hostname("1.a")
    assert not any(map(valid_hostname, ["", "1.2.3.4", "-a.x", "a-.x", "a..x", ".a", "a b", "a/b"]))


def test_literals() -> None:
    assert valid_literal("[192.0.2.1]") and valid_literal("[IPv6:::1]") and valid_literal("[ipv6:::ffff:1.2.3.4]")
    assert not any(map(valid_literal, ["[1.2.3]", "[::1]", "[IPv6:1.2.3.4]", "[1.2.3.4", "[IPv6:fe80::1%lo]", "[]"]))
