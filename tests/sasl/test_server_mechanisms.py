"""The server's side of the mechanisms, against the client's, and against what clients send that is none of it."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.sasl import Login, SaslPeer, SaslRefused
from mailer.sasl.challenge import CramMd5
from mailer.sasl.client_exchange import Credentials, ExchangeFailed
from mailer.sasl.client_scram import scram
from mailer.sasl.plaintext import Plaintext, canonical
from mailer.sasl.scramserver import Scram, keys_from_password, parse_keys

PEER = SaslPeer(hostname="mail.example", realm="example.org")


def run(coroutine):
    """Nothing here waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


def answering(*responses):
    left = list(responses)

    async def ask(challenge):
        return left.pop(0)

    return ask


async def secret(name, peer):
    return {"bob@example.org": b"secret"}.get(name)


def keys(mechanism):
    async def of(name, peer):
        known = await secret(name, peer)
        return None if known is None else keys_from_password(mechanism, known, name)

    return of


@pytest.mark.parametrize(("mechanism", "digest"), [("SCRAM-SHA-1", "sha1"), ("SCRAM-SHA-256", "sha256")])
@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    ("name", "password", "acting_as", "good"),
    [
        ("bob", "secret", "", True),
        ("bob@example.org", "secret", "bob", True),
        ("bob", "wrong", "", False),
        ("nobody", "secret", "", False),
        ("bob", "secret", "ann", False),
    ],
)
def test_scram_with_our_client(mechanism, digest, early, name, password, acting_as, good):
    client = scram(digest, Credentials(name, password, acting_as), lambda count: b"n" * count)
    first = base64.b64encode(client.begin()).decode()
    begun = early

    async def ask(challenge):
        nonlocal begun
        if not begun:
            begun = True
            assert challenge == ""
            return first
        return base64.b64encode(client.step(base64.b64decode(challenge))).decode()

    server = Scram(mechanism, keys(mechanism))
    login = server.authenticate(first if early else None, PEER, ask)
    if good:
        assert run(login) == Login("bob@example.org")
        client.end()
    else:
        with pytest.raises(SaslRefused) as refused:
            run(login)
        assert refused.value.text == "authentication failure"
        assert not refused.value.temporary
        with pytest.raises(ExchangeFailed):
            client.end()


def test_scram_as_rfc_7677_shows_it():
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", salt, 4096)
    client = hmac.new(salted, b"Client Key", "sha256").digest()
    stored, server = hashlib.sha256(client).digest(), hmac.new(salted, b"Server Key", "sha256").digest()
    text = ",".join(["4096", "W22ZaJ0SNY7soEsUEjb6gQ==", *(base64.b64encode(key).decode() for key in (stored, server))])
    asked = []

    async def of(name, peer):
        assert name == "user"
        return parse_keys(text)

    async def ask(challenge):
        asked.append(base64.b64decode(challenge).decode())
        return "" if len(asked) > 1 else base64.b64encode(said).decode()

    nonce = b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    mine = base64.b64decode(base64.b64encode(b"x" * 18))
    full = b"rOprNGfwEbeRWgbNEkqO" + base64.b64encode(mine)
    challenge = f"r={full.decode()},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    without = f"c=biws,r={full.decode()}"
    signed = f"n=user,r=rOprNGfwEbeRWgbNEkqO,{challenge},{without}".encode()
    signature = hmac.new(stored, signed, "sha256").digest()
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client, signature, strict=True))).decode()
    said = f"{without},p={proof}".encode()
    first = base64.b64encode(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").decode()
    assert nonce not in full
    server_side = Scram("SCRAM-SHA-256", of, lambda count: b"x" * count)
    assert run(server_side.authenticate(first, SaslPeer(), ask)) == Login("user")
    assert asked[0] == challenge
    assert asked[1] == "v=" + base64.b64encode(hmac.new(server, signed, "sha256").digest()).decode()


@pytest.mark.parametrize(
    "first",
    [
        "",
        "n,,",
        "p=tls-unique,,n=bob,r=abc",
        "n,,n=bob",
        "n,x=y,n=bob,r=abc",
        "n,,m=1,n=bob,r=a",
        "n,,n=b=ob,r=a",
        "n,,r=a",
    ],
)
def test_scram_messages_that_are_none(first):
    with pytest.raises(SaslRefused):
        run(
            Scram("SCRAM-SHA-256", keys("SCRAM-SHA-256")).authenticate(
                base64.b64encode(first.encode()).decode(), PEER, answering("")
            )
        )


@given(
    st.lists(
        st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda b: base64.b64encode(b).decode())), min_size=4
    )
)
def test_whatever_is_said_nobody_gets_in(said):
    for mechanism in (Scram("SCRAM-SHA-1", keys("SCRAM-SHA-1")), CramMd5(secret)):
        with pytest.raises(SaslRefused):
            run(mechanism.authenticate(None, PEER, answering(*said)))


def cram(name, password):
    async def ask(challenge):
        octets = base64.b64decode(challenge)
        assert octets.startswith(b"<") and octets.endswith(b"@mail.example>")
        return base64.b64encode(f"{name} {hmac.new(password, octets, 'md5').hexdigest()}".encode()).decode()

    return ask


def test_cram_md5():
    assert run(CramMd5(secret).authenticate(None, PEER, cram("bob", b"secret"))) == Login("bob@example.org")
    for name, password in (("bob", b"wrong"), ("nobody", b"secret"), ("nobody", b"")):
        with pytest.raises(SaslRefused) as refused:
            run(CramMd5(secret).authenticate(None, PEER, cram(name, password)))
        assert refused.value.username == f"{name}@example.org"


def test_cram_md5_challenges_differ():
    seen = []

    async def ask(challenge):
        seen.append(challenge)
        return "eA=="

    for _ in range(3):
        with pytest.raises(SaslRefused):
            run(CramMd5(secret).authenticate(None, PEER, ask))
    assert len(set(seen)) == 3


async def only_bob(name, password, peer):
    if (name, password) != ("bob", b"secret"):
        raise SaslRefused("authentication failure", canonical(name, peer.realm))


@pytest.mark.parametrize(
    ("said", "username"),
    [
        (b"\0bob\0wrong", "bob@example.org"),
        (b"ann\0bob\0secret", "ann@example.org"),
        (b"\0bob", ""),
        (b"bob", ""),
        (b"\0a\0b\0c", ""),
        (b"\0 \0x", ""),
    ],
)
def test_plain_refused(said, username):
    remarks = []
    with pytest.raises(SaslRefused) as refused:
        run(Plaintext(only_bob, remarks.append).plain(base64.b64encode(said).decode(), PEER, answering()))
    assert refused.value.username == username
    assert len(remarks) == 1


def test_plain_as_oneself():
    said = base64.b64encode(b"bob@example.org\0bob\0secret").decode()
    assert run(Plaintext(only_bob, print).plain(None, PEER, answering(said))) == Login("bob@example.org")
