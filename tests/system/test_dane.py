"""DANE with a real resolver dialogue, beside Postfix: the same answers lead to the same verdicts and the same log lines."""

import hashlib
import os
import re
import smtplib
import ssl

import pytest
from certificates import authority, both, certificate
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nameserver import TLSA, NameServer
from peers import need, wait_until
from twisted.names import dns

ADDRESS = "127.53.53.53"
LEAF = certificate("mx.a.test", "rsa", names=("mx.anchored.test",))
SPKI = LEAF.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
CA = ssl.PEM_cert_to_DER_cert(authority().decode())
GOOD = bytes((3, 1, 1)) + hashlib.sha256(SPKI).digest()
STRONG = bytes((3, 1, 2)) + hashlib.sha512(SPKI).digest()
WRONG = bytes((3, 1, 1)) + bytes(32)
ANCHOR = bytes((2, 0, 1)) + hashlib.sha256(CA).digest()
#: Destination: TLSA records, names whose answers are validated (d: domain, h: host, t: TLSA).
SITES = {
    "key": ((GOOD,), "dht"),
    "strong": ((WRONG, STRONG), "dht"),
    "anchored": ((ANCHOR,), "dht"),
    "misnamed": ((ANCHOR,), "dht"),
    "wrong": ((WRONG,), "dht"),
    "none": ((), "dht"),
    "unusable": ((bytes((1, 1, 1)) + bytes(32),), "dht"),
    "insecuremx": ((GOOD,), "ht"),
    "insecurehost": ((WRONG,), "dt"),
    "insecuretlsa": ((WRONG,), "dh"),
}


@pytest.fixture
def resolv(directory):
    """A command that gives what it runs a resolv.conf of its own."""
    if os.getuid() != 0:
        pytest.skip("a resolv.conf for the test alone needs root")
    path = directory / "resolv.conf"
    path.write_text(f"nameserver {ADDRESS}\n")
    return (need("unshare"), "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(path))


@pytest.mark.parametrize("level", ["dane", "dane-only"])
def test_verdicts_are_those_of_postfix(mta, postfix, directory, resolv, level):
    keys = directory / "server.pem"
    keys.write_bytes(both("mx.a.test", "rsa", names=("mx.anchored.test",)) + authority())
    receiver = mta(f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {keys}\nrelay_domains = test\n"
                   "relay_transport = discard\n")  # fmt: skip
    zone, secure = {}, set()
    for name, (records, validated) in SITES.items():
        domain, host = f"{name}.test", f"mx.{name}.test"
        query = f"_{receiver.port}._tcp.{host}"
        zone |= {domain: {dns.MX: [dns.Record_MX(10, host)]}, host: {dns.A: [dns.Record_A("127.0.0.1")]}}
        zone[query] = {TLSA: list(records)}
        secure.update(each for letter, each in zip("dht", (domain, host, query), strict=True) if letter in validated)
    try:
        server = NameServer(zone, secure, address=ADDRESS, port=53)
    except OSError as error:
        pytest.skip(f"no name server at {ADDRESS}: {error}")
    client = (
        f"smtp_tls_security_level = {level}\nsmtp_dns_support_level = dnssec\nsmtp_tls_loglevel = 1\n"
        f"smtp_tcp_port = {receiver.port}\nrelay_domains = test\nvirtual_mailbox_domains =\n"
    )
    try:
        both_logs = []
        for sender in (mta(client, wrapping=resolv), postfix(client, wrapping=resolv)):
            with smtplib.SMTP("127.0.0.1", sender.port, timeout=20) as session:
                for name in SITES:
                    session.sendmail("a@x.test", [f"r@{name}.test"], "Subject: x\r\n\r\nx\r\n")

            def done(sender=sender):
                return all(f"to=<r@{name}.test>" in sender.log() for name in SITES)

            wait_until(done, what="all verdicts", seconds=30)
            both_logs.append({name: said(sender.log(), name) for name in SITES})
    finally:
        server.close()
    ours, theirs = both_logs
    assert ours == theirs
    assert any("Verified TLS connection established" in line for line in ours["key"])
    assert any("status=deferred" in line for line in ours["wrong"])


def said(log, name):
    """What the SMTP client said of a destination, times and ids and what the TLS library chose aside."""
    lines = []
    for line in log.splitlines():
        if "/smtp[" in line and re.search(rf"[ .@]{name}\.test", line):
            text = re.sub(r"^\w{6,}: to=", "to=", line.split("/smtp[", 1)[1].split(": ", 1)[1])
            text = re.sub(r" key-exchange .*", "", re.sub(r"delay=.*?dsn", "dsn", text))
            lines.append(re.sub(r"queued as \w+", "queued", text))
    return lines
