"""SASL mechanisms of the client (RFC 4513 5.2): EXTERNAL, SCRAM-SHA-256, SCRAM-SHA-1, DIGEST-MD5, CRAM-MD5, PLAIN.

Each is a coroutine-like generator: it yields what the client says (None: nothing) and is sent what the server says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Generator
from dataclasses import dataclass

__all__ = ["MECHANISMS", "Credentials", "SaslFailed", "choose"]

Exchange = Generator[bytes | None, bytes, None]


class SaslFailed(Exception):
    """The mechanism cannot go on."""


@dataclass(frozen=True)
class Credentials:
    """``nonce()`` gives fresh random text."""

    name: str
    password: str
    authorization: str
    realm: str
    host: str
    nonce: Callable[[], str]


def choose(wanted: tuple[str, ...], offered: tuple[str, ...], credentials: Credentials) -> str:
    """The first of ``wanted`` that can be used; without any the best that the server offers. :raise SaslFailed:"""
    offers = {name.upper() for name in offered}
    for name in [word.upper() for word in wanted] or list(MECHANISMS):
        if name in MECHANISMS and (not offers or name in offers):
            if not wanted and name != "EXTERNAL" and not credentials.password:
                continue
            return name
    raise SaslFailed(f"no SASL mechanism in common: we know {' '.join(MECHANISMS)}, the server {' '.join(offered)}")


def _external(credentials: Credentials) -> Exchange:
    yield credentials.authorization.encode()


def _plain(credentials: Credentials) -> Exchange:
    yield "\0".join((credentials.authorization, credentials.name, credentials.password)).encode()


def _cram(credentials: Credentials) -> Exchange:
    challenge = yield None
    digest = hmac.new(credentials.password.encode(), challenge, "md5").hexdigest()
    yield f"{credentials.name} {digest}".encode()


def _digest(credentials: Credentials) -> Exchange:
    # Imported late: ldap3 is large, and this is all of it that is used.
    from ldap3.protocol.sasl.digestMd5 import decode_directives, md5_h, md5_hex, md5_kd

    challenge = yield None
    try:
        said = decode_directives(challenge)
        nonce = said["nonce"]
    except (KeyError, ValueError):
        raise SaslFailed("malformed DIGEST-MD5 challenge") from None
    realm = credentials.realm or said.get("realm", "")
    own, uri = credentials.nonce(), f"ldap/{credentials.host}"
    start = md5_h(":".join((credentials.name, realm, credentials.password)).encode())
    first = start + f":{nonce}:{own}".encode()
    if credentials.authorization:
        first += f":{credentials.authorization}".encode()
    secret = md5_hex(md5_h(first))
    second = md5_hex(md5_h(f"AUTHENTICATE:{uri}".encode()))
    said_once = b":".join((nonce.encode(), b"00000001", own.encode(), b"auth", second))
    digest = md5_hex(md5_kd(secret, said_once)).decode()
    parts = [f'username="{credentials.name}"', f'realm="{realm}"', f'nonce="{nonce}"', f'cnonce="{own}"', "nc=00000001"]
    parts += ["qop=auth", f'digest-uri="{uri}"', f"response={digest}", "charset=utf-8"]
    if credentials.authorization:
        parts.append(f'authzid="{credentials.authorization}"')
    yield ",".join(parts).encode()
    yield None


def _scram(algorithm: str) -> Callable[[Credentials], Exchange]:
    def exchange(credentials: Credentials) -> Exchange:
        """RFC 5802, without channel binding."""
        authorization = f"a={_saslname(credentials.authorization)}" if credentials.authorization else ""
        header = f"n,{authorization},"
        first = f"n={_saslname(credentials.name)},r={credentials.nonce()}"
        challenge = yield (header + first).encode()
        try:
            said = dict(part.split("=", 1) for part in challenge.decode().split(","))
            nonce, salt, rounds = said["r"], base64.b64decode(said["s"], validate=True), int(said["i"])
        except (KeyError, ValueError):
            raise SaslFailed("malformed SCRAM challenge") from None
        if not nonce.startswith(first.partition(",r=")[2]) or not 0 < rounds <= 1_000_000:
            raise SaslFailed("SCRAM challenge does not belong to what was asked")
        salted = hashlib.pbkdf2_hmac(algorithm, credentials.password.encode(), salt, rounds)
        key = hmac.digest(salted, b"Client Key", algorithm)
        final = f"c={base64.b64encode(header.encode()).decode()},r={nonce}"
        all_said = b",".join((first.encode(), challenge, final.encode()))
        signature = hmac.digest(hashlib.new(algorithm, key).digest(), all_said, algorithm)
        proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        verdict = yield f"{final},p={base64.b64encode(proof).decode()}".encode()
        expected = hmac.digest(hmac.digest(salted, b"Server Key", algorithm), all_said, algorithm)
        if not hmac.compare_digest(verdict, b"v=" + base64.b64encode(expected)):
            raise SaslFailed("the server does not know the password either")
        yield None

    return exchange


def _saslname(text: str) -> str:
    return text.replace("=", "=3D").replace(",", "=2C")


#: By name, best first.
MECHANISMS: dict[str, Callable[[Credentials], Exchange]] = {
    "EXTERNAL": _external,
    "SCRAM-SHA-256": _scram("sha256"),
    "SCRAM-SHA-1": _scram("sha1"),
    "DIGEST-MD5": _digest,
    "CRAM-MD5": _cram,
    "PLAIN": _plain,
}
