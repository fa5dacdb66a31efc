"""SASL mechanisms with the examples of their RFCs."""

import pytest

from mailer.tables.ldap.sasl import MECHANISMS, Credentials, SaslFailed, choose


def credentials(name="user", password="pencil", nonce="", authorization="", realm="", host="elwood.innosoft.com"):
    return Credentials(name, password, authorization, realm, host, lambda: nonce)


def test_external_and_plain():
    assert next(MECHANISMS["EXTERNAL"](credentials(authorization="u:x"))) == b"u:x"
    assert next(MECHANISMS["PLAIN"](credentials(authorization="a"))) == b"a\0user\0pencil"


def test_cram_md5():
    exchange = MECHANISMS["CRAM-MD5"](credentials("tim", "tanstaaftanstaaf"))
    assert next(exchange) is None
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert exchange.send(challenge) == b"tim b913a602c7eda7a495b4e6e7334d3890"


SCRAM = {
    "SCRAM-SHA-1": (
        "fyko+d2lbbFgONRv9qkxdawL",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    "SCRAM-SHA-256": (
        "rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
}


@pytest.mark.parametrize("name", SCRAM)
def test_scram(name):
    nonce, challenge, final, verdict = SCRAM[name]
    exchange = MECHANISMS[name](credentials(nonce=nonce))
    assert next(exchange) == f"n,,n=user,r={nonce}".encode()
    assert exchange.send(challenge) == final
    assert exchange.send(verdict) is None
    for wrong in (b"r=other,s=QQ==,i=1", b"r=", b"\xff", challenge.replace(b"4096", b"0"), b"e=no"):
        exchange = MECHANISMS[name](credentials(nonce=nonce))
        next(exchange)
        with pytest.raises(SaslFailed):
            exchange.send(wrong)
    exchange = MECHANISMS[name](credentials(nonce=nonce))
    next(exchange)
    exchange.send(challenge)
    with pytest.raises(SaslFailed, match="does not know the password"):
        exchange.send(b"v=AAAA")


def test_digest_md5():
    said = b'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8'
    exchange = MECHANISMS["DIGEST-MD5"](credentials("chris", "secret", "OA6MHXh6VqTrRk"))
    assert next(exchange) is None
    answer = exchange.send(said).decode()
    assert 'digest-uri="ldap/elwood.innosoft.com"' in answer and "nc=00000001" in answer
    assert 'username="chris"' in answer and 'realm="elwood.innosoft.com"' in answer
    response = answer.partition("response=")[2].partition(",")[0]
    assert response == expected_digest()
    assert exchange.send(b"rspauth=x") is None
    exchange = MECHANISMS["DIGEST-MD5"](credentials())
    next(exchange)
    with pytest.raises(SaslFailed):
        exchange.send(b"garbage")


def expected_digest():
    """RFC 2831 2.1.2.1, step by step."""
    from hashlib import md5

    def hexed(data):
        return md5(data).hexdigest()

    first = md5(b"chris:elwood.innosoft.com:secret").digest() + b":OA6MG9tEQGm2hh:OA6MHXh6VqTrRk"
    second = b"AUTHENTICATE:ldap/elwood.innosoft.com"
    middle = "OA6MG9tEQGm2hh:00000001:OA6MHXh6VqTrRk:auth"
    return hexed(f"{hexed(first)}:{middle}:{hexed(second)}".encode())


def test_the_choice():
    everything = tuple(MECHANISMS)
    assert choose((), everything, credentials()) == "EXTERNAL"
    assert choose((), ("PLAIN", "SCRAM-SHA-1"), credentials()) == "SCRAM-SHA-1"
    assert choose(("plain", "digest-md5"), everything, credentials()) == "PLAIN"
    assert choose(("plain",), (), credentials()) == "PLAIN"
    with pytest.raises(SaslFailed):
        choose((), ("GSSAPI",), credentials())
    with pytest.raises(SaslFailed):
        choose((), ("PLAIN",), credentials(password=""))
