"""Submission as mail programs use it: the services of etc/master.cf, with the real Dovecot, saslauthd and lookup tables."""

from __future__ import annotations

import base64
import os
import signal
import smtplib
import ssl
import subprocess

import certificates
import pytest
import sasl_dialogue
from peers import ROOT, free_port, need, wait_until
from slapd import Slapd

MESSAGE = "From: bob@example.test\r\nSubject: submitted\r\n\r\nhello\r\n"


def sample(*names: str) -> tuple[str, dict[str, int]]:
    """The commented services of etc/master.cf as they are with the comment signs taken away, on ports of our own."""
    lines, taken, ports = (ROOT / "etc/master.cf").read_text().splitlines(), [], {}
    for line in lines:
        if line.startswith("#") and line[1:].split(" ")[0] in names:
            name = line[1:].split(" ")[0]
            ports[name] = free_port()
            taken.append(f"127.0.0.1:{ports[name]} {line[1:].partition(' ')[2]}")
        elif line.startswith("#  -o ") and taken:
            taken.append(line[1:])
        elif taken and not line.startswith("#"):
            break
    assert len(ports) == len(names)
    return "".join(f"{line}\n" for line in taken), ports


@pytest.fixture
def keys(directory):
    place = directory / "keys"
    place.mkdir()
    (place / "server.pem").write_bytes(certificates.both("mx.example.test", names=("mx.example.test",)))
    return place


@pytest.fixture
def dovecot(directory):
    if os.getuid() != 0:
        pytest.skip("Dovecot needs root")
    need("dovecot")
    server = sasl_dialogue.Dovecot(directory / "auth", [])
    yield directory / "auth"
    server.stop()


def trusting():
    return ssl._create_unverified_context()  # whose certificate it is, test_tls asks


def send(client, user="bob", password="secret"):
    with client:
        client.ehlo("client.test")
        if "starttls" in client.esmtp_features:
            assert "auth" not in client.esmtp_features
            client.starttls(context=trusting())
        client.login(user, password)
        return client.sendmail("bob@example.test", ["friend@example.test"], MESSAGE)


def test_the_sample_services_with_dovecot(mta, keys, dovecot):
    services, ports = sample("submission", "submissions")
    main = f"smtpd_tls_chain_files = {keys}/server.pem\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = {dovecot}\n"
    server = mta(f"{main}smtpd_sasl_authenticated_header = yes\nmynetworks = 192.0.2.0/24\n", services)
    wait_until(lambda: "daemon started" in server.log(), what="the start")
    with smtplib.SMTP("127.0.0.1", ports["submission"], timeout=20) as plain:
        plain.ehlo("client.test")
        assert plain.docmd("AUTH", "PLAIN AGJvYgBzZWNyZXQ=")[0] == 530
        assert plain.mail("bob@example.test")[0] == 530
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        send(smtplib.SMTP("127.0.0.1", ports["submission"], timeout=20), password="wrong")
    assert refused.value.smtp_code == 535
    send(smtplib.SMTP("127.0.0.1", ports["submission"], timeout=20))
    send(smtplib.SMTP_SSL("127.0.0.1", ports["submissions"], timeout=20, context=trusting()))
    with smtplib.SMTP_SSL("127.0.0.1", ports["submissions"], timeout=20, context=trusting()) as stranger:
        stranger.ehlo("client.test")
        stranger.mail("bob@example.test")
        assert stranger.rcpt("friend@example.test")[0] == 554
    for message in server.wait_for_mail("friend", 2):
        assert b"(Authenticated sender: bob)" in message
        assert b"with ESMTPSA id" in message
    server.wait_for_log("postfix/submissions/smtpd", "sasl_method=", "sasl_username=bob")
    server.wait_for_log("postfix/submission/smtpd", "warning: ", "authentication failed: ", "sasl_username=bob")


@pytest.mark.parametrize("mechanism", ["CRAM-MD5", "LOGIN", "PLAIN"])
def test_mechanisms_of_dovecot(mta, dovecot, mechanism):
    server = mta(f"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = {dovecot}\n")
    with server.smtp() as client:
        client.ehlo("client.test")
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"]
        client.user, client.password = "bob", "secret"
        method = getattr(client, "auth_" + mechanism.lower().replace("-", "_"))
        assert client.auth(mechanism, method, initial_response_ok=mechanism == "PLAIN")[0] == 235


def test_saslauthd_and_sasldb(mta, directory):
    if os.getuid() != 0:
        pytest.skip("saslauthd needs root")
    saslauthd, saslpasswd = need("saslauthd"), need("saslpasswd2")
    database = directory / "sasldb2"
    subprocess.run(
        [saslpasswd, "-p", "-c", "-f", database, "-u", "mx.example.test", "bob"],
        input=b"secret", check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    database.chmod(0o644)
    (directory / "run").mkdir()
    (directory / "sasl").mkdir()
    (directory / "sasl/smtpd.conf").write_text(f"auxprop_plugin: sasldb\nsasldb_path: {database}\n")
    (directory / "sasl/login.conf").write_text(
        f"pwcheck_method: saslauthd\nmech_list: plain login\nsaslauthd_path: {directory}/run/mux\n"
    )
    process = subprocess.Popen(
        [saslauthd, "-d", "-a", "shadow", "-m", directory / "run"], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,  # it ends its whole process group
    )  # fmt: skip
    try:
        wait_until((directory / "run/mux").exists, what="saslauthd's socket")
        port = free_port()
        server = mta(
            f"smtpd_sasl_auth_enable = yes\ncyrus_sasl_config_path = {directory}/sasl\n",
            f"127.0.0.1:{port} inet n - n - - smtpd\n  -o smtpd_sasl_path=login\n",
        )
        with server.smtp() as client:
            client.login("bob", "secret")
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.ehlo("client.test")
            assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                client.login("nobody", "x")
            assert refused.value.smtp_code == 535
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its children as well, which outlive a request to end
        process.wait(20)


def test_passwords_in_a_table(mta, directory):
    bcrypt = pytest.importorskip("bcrypt", reason="the extra passwords is not installed")
    stored = bcrypt.hashpw(b"secret", bcrypt.gensalt(5)).decode()
    (directory / "passwords").write_text(f"bob@example.test {stored}\n")
    server = mta(
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = table\nsmtpd_sasl_local_domain = example.test\n"
        f"smtpd_sasl_path = texthash:{directory}/passwords\n"
    )
    with server.smtp() as client:
        client.login("bob", "secret")
        client.sendmail("bob@example.test", ["friend@example.test"], MESSAGE)
    server.wait_for_log("client=", "sasl_username=bob@example.test")


PEOPLE = """\
dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: uid=bob,dc=example,dc=com
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: Bob
userPassword: secret
"""


def test_ldap_bind(mta, directory):
    slapd = Slapd(directory / "slapd", PEOPLE).start()
    try:
        (directory / "login.cf").write_text(
            f"server_host = {slapd.url}\nsearch_base = dc=example,dc=com\nbind_dn = cn=admin,dc=example,dc=com\n"
            "bind_pw = admin\nquery_filter = (uid=%u)\ntimeout = 3\n"
        )
        server = mta(f"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = ldap\nsmtpd_sasl_path = {directory}/login.cf\n")
        for password, code in (("secret", 235), ("wrong", 535), ("", 535)):
            with server.smtp() as client:
                client.ehlo("client.test")
                initial = base64.b64encode(f"\0bob\0{password}".encode()).decode()
                assert client.docmd("AUTH", f"PLAIN {initial}")[0] == code
    finally:
        slapd.stop()
    with server.smtp() as client:
        client.ehlo("client.test")
        assert client.docmd("AUTH", f"PLAIN {base64.b64encode(bytes(1) + b'bob' + bytes(1) + b'x').decode()}")[0] == 454
