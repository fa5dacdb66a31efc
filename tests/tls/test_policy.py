import pytest

from mailer.tls.fingerprints import usable_fingerprints
from mailer.tls.levels import LEVELS, at_least, must_match
from mailer.tls.policy import BadPolicy, TlsPolicy, parse_policy

DEFAULTS = {level: TlsPolicy(level, (">=TLSv1",), "medium", (), (f"{level}-name",)) for level in LEVELS}


def parse(text):
    warnings = []
    return parse_policy(text, DEFAULTS.__getitem__, warnings.append), warnings


def test_a_level_alone_is_main_cf_s():
    assert parse("encrypt") == (DEFAULTS["encrypt"], [])
    assert parse("  MAY ") == (DEFAULTS["may"], [])


def test_attributes_replace_main_cf_s():
    policy, warnings = parse(
        "secure match=a.test:.b.test, MATCH=nexthop ciphers=high exclude=aNULL:MD5 protocols=>=TLSv1.2:!TLSv1.3"
        " tafile=/a tafile=/b servername=c.test connection_reuse=yes"
    )
    assert policy == TlsPolicy(
        "secure", (">=TLSv1.2", "!TLSv1.3"), "high", ("aNULL", "MD5"), ("a.test", ".b.test", "nexthop"), ("/a", "/b"),
        "c.test", True,
    )  # fmt: skip
    assert not warnings
    assert parse("fingerprint match=aa|bb match=cc")[0].match == ("aa", "bb", "cc")


def test_none_needs_no_attributes():
    assert parse("none ciphers=high x") == (
        DEFAULTS["none"],
        ['ignoring attribute "ciphers=high" with TLS disabled', 'ignoring attribute "x" with TLS disabled'],
    )


@pytest.mark.parametrize(
    "text, problem",
    [
        ("foo", 'invalid security level "foo"'),
        ("", 'invalid security level ""'),
        ("may foo=bar", 'invalid attribute name: "foo"'),
        ("encrypt foo", "malformed attribute/value pair \"foo\": missing '=' after attribute name"),
        ("encrypt ciphers=", 'attribute "ciphers" has empty value'),
        ("may match=foo", 'attribute "match" invalid at security level "may"'),
        ("encrypt match=foo", 'attribute "match" invalid at security level "encrypt"'),
        ("may tafile=/a", 'attribute "tafile" invalid at security level "may"'),
        ("encrypt ciphers=high ciphers=low", 'attribute "ciphers" is specified multiple times'),
        ("encrypt protocols=a protocols=b", 'attribute "protocols" is specified multiple times'),
        ("encrypt exclude=a exclude=b", 'attribute "exclude" is specified multiple times'),
        ("encrypt servername=-bad-", '"servername=-bad-" specifies an invalid hostname'),
        ("encrypt connection_reuse=maybe", 'attribute "connection_reuse" has bad value: "maybe"'),
    ],
)
def test_what_is_wrong_is_said_as_postfix_does(text, problem):
    with pytest.raises(BadPolicy) as caught:
        parse(text)
    assert str(caught.value) == problem


def test_levels_have_an_order():
    assert at_least("secure", "verify") and at_least("may", "may") and not at_least("may", "encrypt")
    assert [level for level in LEVELS if must_match(level)] == ["fingerprint", "dane", "dane-only", "verify", "secure"]


def test_fingerprints_in_any_writing():
    warnings = []
    assert usable_fingerprints(("aabb", "CC:DD", "zz", "abc"), warnings.append) == ("AA:BB", "CC:DD")
    assert warnings == ["malformed fingerprint value: zz", "malformed fingerprint value: abc"]
