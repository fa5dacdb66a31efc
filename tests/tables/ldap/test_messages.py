"""Requests and responses as ldap3 and pyasn1 read and write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ldap3.operation.bind import bind_operation
from ldap3.operation.search import search_operation, search_result_entry_response_to_dict_fast
from ldap3.protocol.rfc4511 import LDAPMessage, ProtocolOp
from ldap3.utils.asn1 import decode_message_fast, encode
from pyasn1.codec.ber import decoder
from scripted_directory import done, entry, page_cookie, raw_entry, reference, result

from mailer.tables.ldap.ber import Malformed, boolean, integer, message_end, octets, packed
from mailer.tables.ldap.filters import compile_filter, quote_filter
from mailer.tables.ldap.messages import (
    Search,
    bind_simple,
    message,
    page_control,
    parse_entry,
    parse_message,
    parse_page_cookie,
    parse_reference,
    parse_result,
)

WORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="*()\\="), min_size=1, max_size=12
)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,10}(;x-[a-z]{1,4})?", fullmatch=True)


def by_ldap3(number, name, operation):
    whole = LDAPMessage()
    whole["messageID"] = number
    whole["protocolOp"] = ProtocolOp().setComponentByName(name, operation)
    return encode(whole)


@given(
    base=WORDS,
    value=st.text(st.characters(min_codepoint=1, max_codepoint=0x2FF), max_size=30),
    size=st.integers(0, 2**31 - 1),
    time=st.integers(0, 1000),
    attributes=st.lists(NAMES, min_size=1, max_size=5, unique=True),
    scope=st.sampled_from(["BASE", "LEVEL", "SUBTREE"]),
    deref=st.sampled_from(["NEVER", "SEARCH", "FINDING_BASE", "ALWAYS"]),
)
@settings(max_examples=40, deadline=None)
def test_search_requests(base, value, size, time, attributes, scope, deref):
    text = f"(&(mail={quote_filter(value) or 'x'})(!(uid=a*b*c))(|(cn=*)(sn>=5)(x~=y)))"
    theirs = search_operation(base, text, scope, deref, attributes, size, time, False, False, None)
    ours = Search(
        base,
        ["BASE", "LEVEL", "SUBTREE"].index(scope),
        compile_filter(text),
        tuple(attributes),
        ["NEVER", "SEARCH", "FINDING_BASE", "ALWAYS"].index(deref),
        size,
        time,
    )
    assert message(7, ours.encoded()) == by_ldap3(7, "searchRequest", theirs)


def test_bind_requests():
    theirs = bind_operation(3, "SIMPLE", "cn=x,dc=y", "sécret")
    assert message(9, bind_simple(3, "cn=x,dc=y", "sécret".encode())) == by_ldap3(9, "bindRequest", theirs)


@given(dn=WORDS, attributes=st.dictionaries(NAMES, st.lists(st.text(max_size=200), max_size=6), max_size=4))
@settings(max_examples=40, deadline=None)
def test_entries_as_ldap3_reads_them(dn, attributes):
    data = packed(0x30, integer(3) + raw_entry(dn, list(attributes.items())))
    number, tag, start, stop, _ = parse_message(data, 0, len(data))
    found = parse_entry(data, start, stop)
    theirs = search_result_entry_response_to_dict_fast(decode_message_fast(data)["payload"], None, None, False)
    assert (number, tag, found.dn) == (3, 0x64, theirs["dn"])
    assert {name: [value.encode() for value in values] for name, values in found.attributes} == {
        name: values or [] for name, values in theirs["raw_attributes"].items()
    }


def test_octets_that_are_not_utf8_survive():
    data = packed(
        0x64, octets(b"cn=\xff") + packed(0x30, packed(0x30, octets(b"a") + packed(0x31, octets(b"\xfe\x00"))))
    )
    found = parse_entry(data, 2, len(data))
    assert found.dn.encode("utf-8", "surrogateescape") == b"cn=\xff"
    assert found.attributes[0][1][0].encode("utf-8", "surrogateescape") == b"\xfe\x00"


def test_results_and_references():
    data = packed(0x30, integer(1) + done(10, "elsewhere", ["ldap://a/", "ldap://b/"]) + page_cookie(b"next"))
    number, tag, start, stop, rest = parse_message(data, 0, len(data))
    found = parse_result(data, start, stop, rest, len(data))
    assert (number, tag, found.code, found.text, found.referrals) == (
        1,
        0x65,
        10,
        "elsewhere",
        ("ldap://a/", "ldap://b/"),
    )
    assert parse_page_cookie(found) == b"next"
    data = reference("ldap://x/dc=y")
    assert parse_reference(data, 2, len(data)) == ("ldap://x/dc=y",)
    data = result(0x61, 14, more=octets(b"challenge", 0x87))
    assert parse_result(data, 2, len(data), 0, 0).credentials == b"challenge"


def test_a_page_request():
    value = octets(packed(0x30, integer(50) + octets(b"cookie")))
    assert page_control(50, b"cookie") == packed(
        0xA0, packed(0x30, octets(b"1.2.840.113556.1.4.319") + boolean(True) + value)
    )


@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 256, 2**31 - 1, -1, -128, -129])
def test_integers(number):
    data = integer(number)
    assert int.from_bytes(data[2:], "big", signed=True) == number
    assert decoder.decode(data)[0] == number


@given(st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_octets_are_parsed_or_malformed(data):
    for parse in (
        lambda: parse_message(data, 0, len(data)),
        lambda: parse_entry(data, 0, len(data)),
        lambda: parse_result(data, 0, len(data), 0, len(data)),
        lambda: parse_reference(data, 0, len(data)),
        lambda: message_end(data, 0, 1000),
    ):
        try:
            parse()
        except Malformed:
            continue


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_messages_are_parsed_or_malformed(source):
    data = bytearray(packed(0x30, integer(5) + entry("cn=x", mail=["a@b", "c@d"], uid=["e"])))
    for _ in range(source.draw(st.integers(1, 3))):
        data[source.draw(st.integers(0, len(data) - 1))] = source.draw(st.integers(0, 255))
    damaged = bytes(data)
    try:
        _, _, start, stop, _ = parse_message(damaged, 0, len(damaged))
        parse_entry(damaged, start, stop)
    except Malformed:
        pass


def test_the_end_of_a_message_is_known_early_and_bounded():
    data = packed(0x30, b"x" * 300)
    assert message_end(data[:3], 0, 1000) is None
    assert message_end(data[:4], 0, 1000) == len(data)
    with pytest.raises(Malformed, match="more than 299"):
        message_end(data, 0, 299)
    for wrong in (b"\x31\x00", b"\x30\x80\x00\x00", b"\x30\x85\x01\x01\x01\x01\x01"):
        with pytest.raises(Malformed):
            message_end(wrong, 0, 1000)
