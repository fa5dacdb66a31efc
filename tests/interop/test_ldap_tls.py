"""ldap: tables over TLS and SASL to a real slapd."""

import tempfile
import time
from pathlib import Path

import pytest
from certificates import authority, chain_pem, key_pem
from slapd import Slapd, sample_ldif

from mailer.commands.waiting import OccasionalReactor
from mailer.config.load import from_text
from mailer.interfaces.context import Context
from mailer.interfaces.table import TableOptions
from mailer.message.status import TemporaryError
from mailer.tables.opening import Tables
from mailer.testing.log import RecordingLog

TABLE = "search_base = dc=example,dc=com\nquery_filter = mail=%s\nresult_attribute = uid\n"


@pytest.fixture(scope="module")
def slapd():
    with tempfile.TemporaryDirectory(prefix="ld-") as name:
        place = Path(name)
        (place / "cert.pem").write_bytes(chain_pem("localhost", names=("localhost",)))
        (place / "key.pem").write_bytes(key_pem())
        (place / "ca.pem").write_bytes(authority())
        files = {"TLSCertificateFile": "cert", "TLSCertificateKeyFile": "key", "TLSCACertificateFile": "ca"}
        options = "\n".join(f"{option} {place}/{file}.pem" for option, file in files.items())
        server = Slapd(place, sample_ldif(50), options)
        server.start()
        yield server
        server.stop()


@pytest.fixture
def ask(tmp_path):
    def lookup(text):
        log = RecordingLog()
        reactor = OccasionalReactor()
        context = Context(from_text("").settings, reactor, time.time, log)
        (tmp_path / "t.cf").write_text(TABLE + text)
        tables = Tables(context, TableOptions(), strict=True)
        try:
            return reactor.finish(tables.open(f"ldap:{tmp_path / 't.cf'}").lookup("user1@example.com"))
        except TemporaryError as error:
            return error.cause
        finally:
            tables.close()

    return lookup


@pytest.mark.parametrize("way", ["starttls", "ldaps"])
def test_a_trusted_server_with_its_name(slapd, ask, way):
    host = (
        f"ldap://localhost:{slapd.port}\nstart_tls = yes"
        if way == "starttls"
        else f"ldaps://localhost:{slapd.tls_port}"
    )
    trusting = f"server_host = {host}\ntls_require_cert = yes\ntls_ca_cert_file = {slapd.directory}/ca.pem\n"
    assert ask(trusting) == "user1"
    assert ask(f"server_host = {host}\n") == "user1"
    other = trusting.replace("localhost", "127.0.0.1")
    assert "away" not in ask(other) and ask(other) != "user1"  # the certificate names localhost only
    unknown = f"server_host = {host}\ntls_require_cert = yes\n"
    assert "certificate verify failed" in ask(unknown)
    assert "TLS cannot be used" in ask(trusting.replace("ca.pem", "none.pem"))


def test_ciphers(slapd, ask):
    host = f"server_host = ldaps://localhost:{slapd.tls_port}\n"
    assert ask(host + "tls_cipher_suite = HIGH\n") == "user1"
    assert "TLS cannot be used" in ask(host + "tls_cipher_suite = nonsense\n")


def test_sasl_external_with_the_mechanism_found_out(slapd, ask):
    assert ask(f"server_host = {slapd.socket_url}\nbind = sasl\n") == "user1"
    assert ask(f"server_host = {slapd.socket_url}\nbind = sasl\nsasl_mechs = external\nsasl_minssf = 1\n") == "user1"
    assert "sasl_minssf" in ask(f"server_host = {slapd.url}\nbind = sasl\nsasl_mechs = external\nsasl_minssf = 1\n")
    assert "no SASL mechanism" in ask(f"server_host = {slapd.url}\nbind = sasl\nsasl_mechs = GSSAPI\n")


def test_a_server_without_starttls_is_not_talked_to(ask):
    with tempfile.TemporaryDirectory(prefix="ld-") as name:
        server = Slapd(Path(name), sample_ldif(5)).start()
        try:
            assert "Unable to set STARTTLS" in ask(f"server_host = {server.url}\nstart_tls = yes\n")
        finally:
            server.stop()
