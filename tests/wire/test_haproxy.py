"""PROXY protocol headers; the table was recorded from Postfix 3.7."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.wire.haproxy import LONGEST, HeaderError, ProxyHeader, complaint, parse

BOTH = ("ipv4", "ipv6")
RECORDED = json.loads((Path(__file__).parent.parent / "vectors/haproxy/postfix.json").read_text())
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def outcome(octets, families):
    try:
        return parse(octets, families)
    except HeaderError as error:
        return str(error)


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: f"{case['name']}-{len(case['families'])}")
def test_as_postfix(case):
    octets = bytes.fromhex(case["octets"])
    found = outcome(octets, case["families"])
    if "error" in case:
        assert found == case["error"]
    else:
        header, length = found
        assert (header.client, header.client_port) == (case["client"], case["port"])
        assert length == len(octets)


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: f"{case['name']}-{len(case['families'])}")
def test_in_pieces_and_with_more_behind(case):
    octets = bytes.fromhex(case["octets"])
    whole = outcome(octets, case["families"])
    early = [outcome(octets[:count], case["families"]) for count in range(1, len(octets))]
    if isinstance(whole, tuple):
        assert set(early) == {None}
        assert outcome(octets + b"EHLO x\r\n" * 100, case["families"]) == whole
    else:  # some faults show before the end, and none goes away
        first = next((found for found in early if found is not None), whole)
        assert isinstance(first, str)
        assert not any(isinstance(found, tuple) for found in early)


def test_what_is_told():
    found = parse(b"PROXY TCP6 2001:DB8::1 ::ffff:192.0.2.2 1 2\r\n", BOTH)
    assert found == (ProxyHeader("2001:db8::1", "1", "192.0.2.2", "2"), 45)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"P", "short protocol header"),
        (b"PROXY ", "missing protocol header terminator"),
        (SIGNATURE, "short protocol header"),
        (SIGNATURE + b"\x21\x11\0\x0c", "short version 2 protocol header"),
    ],
)
def test_what_is_wrong_with_a_header_that_ends_too_early(octets, text):
    assert parse(octets, BOTH) is None
    assert complaint(octets) == text


def test_scopes_and_other_notations_are_no_addresses():
    for address in ("fe80::1%eth0", "0x7f.1", "1.2.3", "", "١.١.١.١"):
        line = f"PROXY TCP4 {address} 192.0.2.2 1 2\r\n".encode()
        assert outcome(line, BOTH).startswith("bad or missing")
    assert outcome(b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", BOTH) == "bad or missing client address"
    assert outcome("PROXY TCP4 1.1.1.1 1.1.1.1 ² 2\r\n".encode(), BOTH) == "bad or missing client port"


@given(st.one_of(st.binary(min_size=1, max_size=700), st.binary(max_size=700).map(lambda tail: b"PROXY " + tail),
                 st.binary(max_size=700).map(lambda tail: SIGNATURE + tail),
                 st.binary(max_size=40).map(lambda tail: SIGNATURE + b"\x21" + tail)))  # fmt: skip
@example(b"PROXY " + b" " * 600)
def test_any_input_is_a_header_or_a_declared_error_or_unfinished(octets):
    found = outcome(octets, BOTH)
    if found is None:
        assert len(octets) < LONGEST
        assert complaint(octets)
    elif isinstance(found, tuple):
        assert 0 < found[1] <= min(LONGEST, len(octets))
