"""SCRAM (RFC 5802, 7677), the client's side, without channel binding: the password never goes over the wire, and the server
has to prove that it knows it, too."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable

from mailer.sasl.client_exchange import Credentials, ExchangeFailed
from mailer.sasl.client_password import finished
from mailer.sasl.client_prepare import prepared

__all__ = ["MOST_ITERATIONS", "scram"]

#: A server that asks for more wants our time, not our password.
MOST_ITERATIONS = 1_000_000
_MALFORMED = "bad protocol / cancel"
_NOT_PROVED = "server failed mutual authentication step"
_NONCE_OCTETS = 24


class _Scram:
    slow = True

    def __init__(self, digest: str, credentials: Credentials, nonce: str) -> None:
        self._digest = digest
        self._password = prepared(credentials.password)
        name = prepared(credentials.name).replace("=", "=3D").replace(",", "=2C")
        acting_as = credentials.acting_as.replace("=", "=3D").replace(",", "=2C")
        self._header = f"n,{'a=' + acting_as if acting_as else ''},"
        self._bare = f"n={name},r={nonce}"
        self._nonce = nonce
        self._steps = [self._prove, self._verify]
        self._signature = b""

    def begin(self) -> bytes:
        return _octets(self._header + self._bare)

    def step(self, challenge: bytes) -> bytes:
        if not self._steps:
            raise finished()
        return self._steps.pop(0)(challenge)

    def end(self) -> None:
        if self._steps:
            raise ExchangeFailed(_NOT_PROVED)

    def _prove(self, challenge: bytes) -> bytes:
        said = challenge.decode("utf-8", "surrogateescape")
        values = _attributes(said)
        nonce, count = values.get("r", ""), values.get("i", "")
        if not nonce.startswith(self._nonce) or nonce == self._nonce or "m" in values:
            raise ExchangeFailed(_MALFORMED)
        if not (count.isascii() and count.isdigit() and 0 < int(count[:9]) <= MOST_ITERATIONS):
            raise ExchangeFailed(_MALFORMED)
        final = f"c={base64.b64encode(_octets(self._header)).decode('ascii')},r={nonce}"
        signed = _octets(f"{self._bare},{said},{final}")
        password = _octets(self._password)
        salted = hashlib.pbkdf2_hmac(self._digest, password, _salt(values.get("s", "")), int(count[:9]))
        key = self._sign(salted, b"Client Key")
        signature = self._sign(hashlib.new(self._digest, key).digest(), signed)
        self._signature = self._sign(self._sign(salted, b"Server Key"), signed)
        proof = bytes(left ^ right for left, right in zip(key, signature, strict=True))
        return _octets(final + ",p=" + base64.b64encode(proof).decode("ascii"))

    def _verify(self, challenge: bytes) -> bytes:
        values = _attributes(challenge.decode("utf-8", "surrogateescape"))
        if not hmac.compare_digest(_salt(values.get("v", "")), self._signature):
            raise ExchangeFailed(_NOT_PROVED)
        return b""

    def _sign(self, key: bytes, data: bytes) -> bytes:
        return hmac.new(key, data, self._digest).digest()


def scram(digest: str, credentials: Credentials, random: Callable[[int], bytes]) -> _Scram:
    """:param digest: as hashlib calls it. :param random: so many random octets."""
    return _Scram(digest, credentials, base64.b64encode(random(_NONCE_OCTETS)).decode("ascii"))


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _attributes(text: str) -> dict[str, str]:
    return {part[:1]: part[2:] for part in text.split(",") if part[1:2] == "="}


def _salt(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ExchangeFailed(_MALFORMED) from None
