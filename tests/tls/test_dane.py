"""TLSA records against certificates: usages, selectors, digests and their agility; hostile records."""

import hashlib

import pytest
from certificates import certificate
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mailer.tls.dane import Association, Digests, matched_by, parse_digests, usable_associations

CA = certificate("Test CA", issuer="", authority=True, number="Test CA")
LEAF = certificate("mx.a.test", names=("mx.a.test",))
EXPIRED = certificate("mx.a.test", names=("mx.a.test",), days=-1)
STRANGER = certificate("mx.a.test", issuer="", number="stranger")


def der(certificate):
    return certificate.public_bytes(Encoding.DER)


def key(certificate):
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def digest(matching, octets):
    return {0: lambda: octets, 1: hashlib.sha256(octets).digest, 2: hashlib.sha512(octets).digest}[matching]()


def usable(*records, digests=None, warnings=None):
    warnings = [] if warnings is None else warnings
    return usable_associations(records, digests or Digests(), warnings.append, "_25._tcp.mx.test", "mx.test[::1]:25")


@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize("selector, part", [(0, der), (1, key)])
def test_each_kind_of_record_matches_what_it_is_for(selector, part, matching):
    (end,) = usable((3, selector, matching, digest(matching, part(LEAF))))
    assert matched_by([LEAF, CA], [end], Digests()) == (end, 0)
    assert matched_by([STRANGER, LEAF], [end], Digests()) is None
    (anchor,) = usable((2, selector, matching, digest(matching, part(CA))))
    found = matched_by([LEAF, CA], [anchor], Digests())
    assert found is not None and found[0] == anchor and found[1] >= 1
    assert matched_by([STRANGER, CA], [anchor], Digests()) is None  # CA is there, but has not signed it
    assert matched_by([], [end, anchor], Digests()) is None


def test_an_anchor_that_the_server_does_not_send_may_be_in_the_record():
    (anchor,) = usable((2, 0, 0, der(CA)))
    assert matched_by([LEAF], [anchor], Digests()) == (anchor, 1)
    (digested,) = usable((2, 0, 1, digest(1, der(CA))))
    assert matched_by([LEAF], [digested], Digests()) is None


def test_time_counts_below_an_anchor_only():
    """RFC 7671, 5.1: a certificate that is itself in DNS is as good as its record."""
    end, anchor = (3, 1, 1, digest(1, key(EXPIRED))), (2, 0, 1, digest(1, der(CA)))
    assert matched_by([EXPIRED, CA], usable(end), Digests())
    assert matched_by([EXPIRED, CA], usable(anchor), Digests()) is None


GOOD = (3, 1, 1, b"\1" * 32)


@pytest.mark.parametrize(
    "record, warning",
    [
        ((0, 1, 1, b"\xab" * 32), "_25._tcp.mx.test unsupported TLSA certificate usage: 0 1 1 " + "AB" * 32),
        ((1, 1, 1, b""), "_25._tcp.mx.test unsupported TLSA certificate usage: 1 1 1 "),
        ((3, 1, 1, b"abc"), "mx.test[::1]:25: unusable TLSA RR: 3 1 1 616263"),
        ((3, 2, 1, b"\1" * 32), "mx.test[::1]:25: unusable TLSA RR: 3 2 1 " + "01" * 32),
        ((3, 1, 3, b"\1" * 32), "mx.test[::1]:25: unusable TLSA RR: 3 1 3 " + "01" * 32),
        ((2, 0, 0, b"\xff" * 100), f"mx.test[::1]:25: unusable TLSA RR: 2 0 0 {'FF' * 32}...{'FF' * 32}"),
    ],
)
def test_records_of_no_use_are_told_and_left_out(record, warning):
    warnings = []
    assert usable(record, GOOD, warnings=warnings) == (Association(*GOOD),)
    assert warnings == [warning]


def test_the_best_digest_counts():
    strong, full = (3, 1, 2, b"\2" * 64), (3, 1, 0, key(LEAF))
    other = (3, 0, 1, b"\1" * 32)
    records = (GOOD, strong, full, other)
    assert usable(*records) == tuple(Association(*each) for each in (strong, full, other))
    assert len(usable(*records, digests=Digests(agility="off"))) == 4
    maybe = Digests(agility="maybe")
    assert Association(*GOOD) not in usable(*records, digests=maybe)
    assert Association(*GOOD) in usable(*records, (3, 1, 2, b"\3" * 64), digests=maybe)
    preferred = parse_digests(("sha256", "sha512"), "on", True, [].append)
    assert Association(*strong) not in usable(*records, digests=preferred)


def test_digests_are_named_in_order_of_preference():
    warnings = []
    digests = parse_digests(("SHA512", "sha384=7", "sha224", "md9=9", "sha1=1", "sha256"), "ON", False, warnings.append)
    assert [(number, type(kind)) for number, kind in digests.algorithms] == [
        (2, hashes.SHA512), (7, hashes.SHA384), (1, hashes.SHA1),
    ]  # fmt: skip
    assert len(warnings) == 3 and 'digest algorithm "md9"(9) unknown' in warnings[1]
    assert usable((2, 0, 1, b"\1" * 20), (3, 0, 1, b"\1" * 20), digests=digests) == (Association(3, 0, 1, b"\1" * 20),)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 3), st.binary(max_size=70)), max_size=5))
def test_no_record_from_the_network_vouches_for_a_stranger(records):
    assert matched_by([STRANGER], usable(*records), Digests()) is None
