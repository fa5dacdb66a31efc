"""Logging in as a client: the examples of the RFCs, which mechanism is chosen, servers that are not what they should be."""

import base64
import hashlib
import hmac

import pytest

from mailer.sasl.client import OPTIONS, choose
from mailer.sasl.client_exchange import Credentials, ExchangeFailed
from mailer.sasl.client_password import CramMd5, Login, Plain
from mailer.sasl.client_prepare import prepared
from mailer.sasl.client_scram import MOST_ITERATIONS, _Scram

USER = Credentials("user", "pencil")


def test_plain():
    assert Plain(USER).begin() == b"\0user\0pencil"
    assert Plain(Credentials("u\u00e9", "p", "other")).begin() == b"other\0u\xc3\xa9\0p"
    with pytest.raises(ExchangeFailed):
        Plain(USER).step(b"")


def test_login():
    exchange = Login(USER)
    assert exchange.begin() is None
    assert [exchange.step(b"whatever"), exchange.step(b"")] == [b"user", b"pencil"]
    with pytest.raises(ExchangeFailed):
        exchange.step(b"more")


def test_cram_md5_of_rfc_2195():
    exchange = CramMd5(Credentials("tim", "tanstaaftanstaaf"))
    answer = exchange.step(b"<1896.697170952@postoffice.reston.mci.net>")
    assert answer == b"tim b913a602c7eda7a495b4e6e7334d3890"
    with pytest.raises(ExchangeFailed):
        exchange.step(b"again")


SCRAM = [
    (
        "sha1",
        "fyko+d2lbbFgONRv9qkxdawL",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    (
        "sha256",
        "rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
]


@pytest.mark.parametrize(("digest", "nonce", "first", "proof", "final"), SCRAM)
def test_scram_of_rfc_5802_and_7677(digest, nonce, first, proof, final):
    exchange = _Scram(digest, USER, nonce)
    assert exchange.begin() == b"n,,n=user,r=" + nonce.encode()
    assert exchange.step(first) == proof
    with pytest.raises(ExchangeFailed):
        exchange.end()  # a yes without proof is none
    assert exchange.step(final) == b""
    exchange.end()
    with pytest.raises(ExchangeFailed):
        exchange.step(b"")


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"r=other,s=QSXCR+Q6sek8bf92,i=4096",
        b"r=nonce,s=QSXCR+Q6sek8bf92,i=4096",
        b"r=nonceX,s=QSXCR+Q6sek8bf92,i=0",
        b"r=nonceX,s=QSXCR+Q6sek8bf92,i=-1",
        b"r=nonceX,s=QSXCR+Q6sek8bf92,i=%d" % (MOST_ITERATIONS + 1),
        b"r=nonceX,s=!,i=1",
        b"m=x,r=nonceX,s=QSXCR+Q6sek8bf92,i=1",
    ],
)
def test_scram_challenges_that_are_refused(challenge):
    exchange = _Scram("sha256", USER, "nonce")
    exchange.begin()
    with pytest.raises(ExchangeFailed):
        exchange.step(challenge)


def test_scram_server_that_does_not_know_the_password():
    exchange = _Scram("sha256", USER, "nonce")
    exchange.step(b"r=nonceX,s=QSXCR+Q6sek8bf92,i=1")
    with pytest.raises(ExchangeFailed) as caught:
        exchange.step(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")
    assert caught.value.text == "server failed mutual authentication step"


def test_scram_names_are_escaped():
    exchange = _Scram("sha256", Credentials("a=b,c", "p", "d,e"), "nonce")
    assert exchange.begin() == b"n,a=d=2Ce,n=a=3Db=2Cc,r=nonce"
    challenge = b"r=nonceX,s=QSXCR+Q6sek8bf92,i=1"
    answer = exchange.step(challenge)
    header, _, proof = answer.rpartition(b",p=")
    salted = hashlib.pbkdf2_hmac("sha256", b"p", base64.b64decode("QSXCR+Q6sek8bf92"), 1)
    key = hmac.digest(salted, b"Client Key", "sha256")
    signed = b"n=a=3Db=2Cc,r=nonce," + challenge + b"," + header
    signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
    assert base64.b64decode(proof) == bytes(a ^ b for a, b in zip(key, signature, strict=True))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("I\u00adX", "IX"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\u0007\u00e9", "\u0007\u00e9"),
    ],
)
def test_saslprep_of_rfc_4013(text, result):
    assert prepared(text) == result


def test_tokens():
    given = Credentials("joe@d.example", "token", host="imap.d.example", port=587)
    _, exchange = choose(["XOAUTH2"], (), given, bytes)
    assert exchange.begin() == b"user=joe@d.example\1auth=Bearer token\1\1"
    assert exchange.step(b"{refused}") == b""
    with pytest.raises(ExchangeFailed):
        exchange.step(b"{refused}")
    _, exchange = choose(["OAUTHBEARER"], (), given, bytes)
    assert exchange.begin() == b"n,a=joe@d.example,\1host=imap.d.example\1port=587\1auth=Bearer token\1\1"
    assert exchange.step(b"{refused}") == b"\1"


@pytest.mark.parametrize(
    ("offered", "options", "name"),
    [
        ("LOGIN PLAIN", "", "PLAIN"),
        ("login", "", "LOGIN"),
        ("PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", "", "SCRAM-SHA-256"),
        ("PLAIN XOAUTH2", "", "PLAIN"),
        ("PLAIN LOGIN XOAUTH2", "noplaintext", None),
        ("PLAIN CRAM-MD5", "noplaintext noanonymous", "CRAM-MD5"),
        ("CRAM-MD5 SCRAM-SHA-1", "mutual_auth", "SCRAM-SHA-1"),
        ("SCRAM-SHA-256", "forward_secrecy", None),
        ("GSSAPI", "", None),
        ("", "", None),
    ],
)
def test_the_choice(offered, options, name):
    chosen = choose(offered.split(), options.split(), USER, bytes)
    assert (chosen and chosen[0]) == name
    assert OPTIONS.issuperset(options.split())
