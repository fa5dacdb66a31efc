import pytest
from certificates import certificate

from mailer.tls.names import certificate_names, matches_name, wanted_names


@pytest.mark.parametrize(
    "name, want, many, one",
    [
        ("mx.a.test", "mx.a.test", True, True),
        ("mx.a.test", "a.test", False, False),
        ("mx.a.test", ".a.test", True, True),
        ("a.test", ".a.test", False, False),
        ("xa.test", ".a.test", False, False),
        ("*.a.test", "mx.a.test", True, True),
        ("*.a.test", "b.mx.a.test", True, False),
        ("*.a.test", "a.test", False, False),
        ("*.a.test", ".a.test", True, True),
        ("*", "mx.a.test", False, False),
        ("*.test", "a.test", False, False),
        ("m*.a.test", "mx.a.test", False, False),
        ("mx.*.test", "mx.a.test", False, False),
        ("*.*.test", "mx.a.test", False, False),
        ("*.a.test", "*.a.test", True, True),
    ],
)
def test_matching(name, want, many, one):
    assert matches_name([name], [want], True) is many
    assert matches_name([name], [want], False) is one


def test_wanted_names():
    wanted = wanted_names(("nexthop", "dot-nexthop", "HOSTNAME", "Other.Test.", "bücher.test"), "A.test", "mx.a.test")
    assert wanted == ["a.test", ".a.test", "mx.a.test", "other.test", "xn--bcher-kva.test"]


def test_the_common_name_counts_only_without_dns_names():
    assert certificate_names(certificate("CN.test")) == ["cn.test"]
    assert certificate_names(certificate("cn.test", names=("A.test", "b.test"))) == ["a.test", "b.test"]


def test_a_name_with_a_nul_is_no_name():
    assert certificate_names(certificate("good.test\0.evil.test")) == []
    assert certificate_names(certificate("x.test", names=("good.test\0.evil.test",))) == []
