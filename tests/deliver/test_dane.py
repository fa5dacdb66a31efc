"""DANE of the SMTP client in memory: which records are looked for, and what follows from each answer, as in Postfix."""

import hashlib
from dataclasses import replace

import pytest
from certificates import both, certificate, chain_pem
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tls_client_rig import MX, NOT_VERIFIED, RELAY, SENT, Rig, TlsPeer, established

from mailer.testing.dns import FAILS, FakeResolver
from mailer.testing.peer import Script

LEAF = certificate("mx.a.test", names=MX["names"])
SPKI = LEAF.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
CA = certificate("Test CA", issuer="", authority=True, number="Test CA")
CHAIN = both(**MX) + chain_pem("Test CA", issuer="", authority=True, number="Test CA")
QUERY = "_25._tcp.mx.a.test"
GOOD = (3, 1, 1, hashlib.sha256(SPKI).digest())
WRONG = (3, 1, 1, hashlib.sha256(b"x").digest())
ANCHOR = (2, 0, 1, hashlib.sha256(CA.public_bytes(Encoding.DER)).digest())
EVERYTHING = ("a.test", "mx.a.test", QUERY)


def rig(*records, level="dane", secure=EVERYTHING, fails=False, chain=CHAIN, script=None, **settings):
    zone = {"a.test": {"MX": [(10, "mx.a.test")]}, "mx.a.test": {"A": ["192.0.2.1"]}, "_tcp.mx.a.test": {}}
    if records or fails:
        zone[QUERY] = {"TLSA": FAILS if fails else list(records)}
    resolver = FakeResolver(zone, secure)
    peer = TlsPeer(*([script] if script else ()), chain=chain)
    made = Rig(peer, resolver=resolver, smtp_tls_security_level=level, smtp_dns_support_level="dnssec", **settings)
    made.resolver = resolver
    return made


def asked(made):
    return [name for kind, name in made.resolver.queries if kind == "TLSA"]


@pytest.mark.parametrize("level", ["dane", "dane-only"])
def test_a_record_that_matches(level):
    made = rig(GOOD, level=level)
    assert made.deliver() == SENT and established(made) == ["Verified"]
    made = rig(WRONG, level=level)
    assert made.deliver() == NOT_VERIFIED and established(made) == ["Untrusted"]
    assert made.log.lines[0] == (
        f"info server certificate verification failed for {RELAY}: num=65:no matching DANE TLSA records"
    )


def test_below_a_trust_anchor_the_name_counts():
    assert established(_delivered(rig(ANCHOR))) == ["Verified"]
    chain = both("b.test", names=("b.test",)) + chain_pem("Test CA", issuer="", authority=True, number="Test CA")
    made = rig(ANCHOR, chain=chain)
    assert made.deliver() == NOT_VERIFIED
    assert made.log.lines[0].endswith("num=62:hostname mismatch")
    # The destination's name will do, too (RFC 7672, 3.2.2).
    chain = both("a.test", names=("a.test",)) + chain_pem("Test CA", issuer="", authority=True, number="Test CA")
    assert established(_delivered(rig(ANCHOR, chain=chain))) == ["Verified"]


def _delivered(made):
    assert made.deliver() == SENT
    return made


def test_a_matching_record_is_told_at_higher_levels():
    made = _delivered(rig(GOOD, smtp_tls_loglevel="2"))
    data = GOOD[3].hex().upper()
    assert f"info {RELAY}: Matched DANE EE certificate at depth 0: 3 1 1 {data}" in made.log.lines


REFUSED = "warning TLS policy lookup for a.test/mx.a.test: "


@pytest.mark.parametrize(
    "records, secure, why",
    [
        ((), EVERYTHING, "no TLSA records found"),
        ((GOOD,), ("a.test", "mx.a.test"), "no TLSA records found"),
        ((GOOD,), ("a.test", QUERY), "no TLSA records found"),
        ((GOOD,), ("mx.a.test", QUERY), "non DNSSEC destination"),
        (((1, *GOOD[1:]),), EVERYTHING, "TLSA records unusable"),
    ],
)
def test_without_validated_records_dane_only_refuses(records, secure, why):
    made = rig(*records, level="dane-only", secure=secure)
    assert made.deliver() == f"deferred 4.7.5 none {why}"
    assert made.log.lines[-1] == REFUSED + why


def test_without_validated_records_tls_is_optional():
    made = _delivered(rig())
    assert established(made) == ["Untrusted"] and asked(made) == [QUERY]
    made = rig(GOOD, secure=("a.test", QUERY))
    # Servers of unsigned zones are not even asked.
    assert established(_delivered(made)) == ["Untrusted"] and not asked(made)
    made = rig(GOOD, secure=("a.test", QUERY), smtp_tls_force_insecure_host_tlsa_lookup="yes")
    assert established(_delivered(made)) == ["Verified"]


def test_records_of_no_use_make_encryption_mandatory():
    made = rig((1, *GOOD[1:]))
    assert established(_delivered(made)) == ["Untrusted"]
    assert made.log.lines[0].startswith(f"warning {QUERY} unsupported TLSA certificate usage: 1 1 1 ")
    made = rig((3, 1, 1, b"abc"), script=Script(extensions=()))
    assert "4.7.4" in made.deliver()
    assert f"warning {RELAY}: all TLSA records unusable, fallback to unauthenticated TLS" in made.log.lines


@pytest.mark.parametrize("level", ["dane", "dane-only"])
def test_a_lookup_that_fails_keeps_the_mail(level):
    made = rig(fails=True, level=level)
    assert made.deliver() == "deferred 4.7.5 none TLSA lookup error for mx.a.test:25"
    assert made.log.lines == [
        "warning DANE TLSA lookup problem: Host or domain name not found. Name service error for"
        f" name={QUERY} type=TLSA: Host not found, try again",
        f"{REFUSED}TLSA lookup error for mx.a.test:25",
    ]


@pytest.mark.parametrize("policy, word", [("dane", "Trusted"), ("encrypt", "Untrusted"), ("may", "Untrusted")])
def test_behind_an_mx_record_that_nobody_vouches_for(policy, word):
    made = rig(GOOD, secure=EVERYTHING[1:], smtp_tls_dane_insecure_mx_policy=policy)
    assert established(_delivered(made)) == [word] and bool(asked(made)) is (policy != "may")
    made = rig(WRONG, secure=EVERYTHING[1:], smtp_tls_dane_insecure_mx_policy=policy)
    assert made.deliver() == (NOT_VERIFIED if policy == "dane" else SENT)


@pytest.mark.parametrize(
    "settings, why",
    [
        ({"smtp_host_lookup": "native"}, "a.test: {} configured with dnssec lookups disabled"),
        ({"ignore_mx_lookup_error": "yes"}, "a.test: {} configured with MX lookup errors ignored"),
        ({"smtp_dns_resolver_options": "res_defnames"}, "a.test: dns resolver options incompatible with {} TLS"),
    ],
)
def test_settings_that_stand_in_the_way(settings, why):
    made = _delivered(rig(GOOD, **settings))
    assert made.log.lines[0] == "warning " + why.format("dane") and established(made) == ["Untrusted"]
    made = rig(GOOD, level="dane-only", **settings)
    assert made.deliver() == "deferred 4.7.5 none client TLS configuration problem"
    assert made.log.lines[0] == "warning " + why.format("dane-only")


def test_an_aliass_target_has_the_records():
    made = rig(GOOD)
    addresses = made.resolver.addresses

    async def aliased(*arguments, **named):
        return replace(await addresses(*arguments, **named), name="host.b.test")

    made.resolver.addresses = aliased
    _delivered(made)
    assert asked(made) == ["_25._tcp.host.b.test", QUERY] and established(made) == ["Verified"]


def test_a_policy_entry_at_level_dane_keeps_what_it_says():
    made = rig(level="none", smtp_tls_policy_maps="inline:{ {a.test = dane protocols=TLSv1.2} }")
    assert made.deliver() == SENT
    assert "TLSv1.2 with cipher" in made.log.lines[0]
