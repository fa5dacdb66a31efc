"""Sessions that the SMTP client resumes: when, on what terms, and that what was found at first still holds."""

import hashlib
import re

import pytest
from certificates import authority, both, certificate, chain_pem
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from tls_client_rig import MX, NOT_VERIFIED, RELAY, SENT, Rig, TlsPeer

from mailer.testing.dns import FakeResolver

CACHE = {"smtp_tls_session_cache_database": "btree:/var/lib/mailer/smtp_scache"}


@pytest.fixture
def ca(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_bytes(authority())
    return str(path)


def connections(rig):
    """For each: the log's word for the server, and whether a session was resumed."""
    reused = f"info {RELAY}: Reusing old session" in rig.log.lines
    words = [line.split()[1] for line in rig.log.lines if "TLS connection established" in line]
    rig.log.lines.clear()
    return words, reused


@pytest.mark.parametrize("highest", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_a_second_connection_resumes(ca, highest):
    rig = Rig(TlsPeer(highest=highest), smtp_tls_CAfile=ca, smtp_tls_loglevel="2", **CACHE)
    assert rig.deliver() == SENT
    steps = [line.split()[1] for line in rig.log.lines if " session " in line and "smtp cache" in line]
    key = re.search(r"looking for session (\S+) in smtp cache", "\n".join(rig.log.lines)).group(1)
    assert steps == ["looking", "save"] and re.fullmatch(r"smtp&a\.test&mx\.a\.test&192\.0\.2\.1&&[0-9A-F]{64}", key)
    assert connections(rig) == (["Trusted"], False)
    assert rig.deliver() == SENT
    assert f"info reloaded session {key} from smtp cache" in rig.log.lines
    assert connections(rig) == (["Trusted"], True)


@pytest.mark.parametrize("settings", [{}, {**CACHE, "smtp_tls_session_cache_timeout": "0"}])
def test_without_a_cache_nothing_is_resumed(settings):
    rig = Rig(smtp_tls_loglevel="2", **settings)
    for _ in range(2):
        assert rig.deliver() == SENT
        assert connections(rig) == (["Untrusted"], False)


def test_a_session_is_forgotten_in_time():
    rig = Rig(smtp_tls_loglevel="2", smtp_tls_session_cache_timeout="100s", **CACHE)
    rig.deliver()
    rig.network.advance(99)
    rig.log.lines.clear()
    assert rig.deliver() == SENT and connections(rig)[1]
    rig.network.advance(2)
    assert rig.deliver() == SENT and not connections(rig)[1]


def test_what_was_wrong_with_the_server_is_still_wrong():
    rig = Rig(smtp_tls_security_level="verify", smtp_tls_loglevel="2", **CACHE)
    for resumed in (False, True):
        assert rig.deliver() == NOT_VERIFIED
        assert "untrusted issuer /CN=Test CA" in "\n".join(rig.log.lines)
        # A connection that is not used is not remembered.
        assert connections(rig) == (["Untrusted"], False), resumed


def test_untrusted_stays_untrusted():
    rig = Rig(smtp_tls_loglevel="2", **CACHE)
    assert rig.deliver() == SENT and connections(rig) == (["Untrusted"], False)
    assert rig.deliver() == SENT and connections(rig) == (["Untrusted"], True)


def test_names_are_looked_at_anew(ca):
    rig = Rig(smtp_tls_security_level="verify", smtp_tls_CAfile=ca, smtp_tls_loglevel="2", **CACHE)
    for resumed in (False, True):
        assert rig.deliver() == SENT and connections(rig) == (["Verified"], resumed)


def test_dane_looks_at_the_chain_anew():
    anchor = certificate("Test CA", issuer="", authority=True, number="Test CA").public_bytes(Encoding.DER)
    query = "_25._tcp.mx.a.test"
    zone = {
        "a.test": {"MX": [(10, "mx.a.test")]},
        "mx.a.test": {"A": ["192.0.2.1"]},
        query: {"TLSA": [(2, 0, 1, hashlib.sha256(anchor).digest())]},
    }
    chain = both(**MX) + chain_pem("Test CA", issuer="", authority=True, number="Test CA")
    rig = Rig(
        TlsPeer(chain=chain), resolver=FakeResolver(zone, zone), smtp_tls_security_level="dane",
        smtp_dns_support_level="dnssec", smtp_tls_loglevel="2", **CACHE,
    )  # fmt: skip
    for resumed in (False, True):
        assert rig.deliver() == SENT and connections(rig) == (["Verified"], resumed)


def test_a_server_that_forgot_makes_a_new_one():
    rig = Rig(smtp_tls_loglevel="2", **CACHE)
    assert rig.deliver() == SENT and not connections(rig)[1]
    rig.peer.context = TlsPeer().context
    assert rig.deliver() == SENT and not connections(rig)[1]
    assert rig.deliver() == SENT and connections(rig)[1]
