"""SCRAM (RFC 5802, RFC 7677), the server's side, without channel binding: neither the password nor anything that could stand
for it goes over the wire, and the client learns whether the server knows it, too."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailer.message.sasl import Login, SaslPeer, SaslRefused
from mailer.sasl.client_prepare import prepared
from mailer.sasl.decoding import BadBase64, decoded, encoded
from mailer.sasl.plaintext import BAD_PROTOCOL, GENERIC, WRONG, canonical

__all__ = ["Scram", "ScramKeys", "keys_from_password", "parse_keys"]

_DIGESTS = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}
#: RFC 7677 4: at least 4096.
_ITERATIONS = 4096
_MOST_ITERATIONS = 1_000_000
_NONCE_OCTETS = 18


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What a server has to know of a password. ``salt`` and keys are octets."""

    iterations: int
    salt: bytes
    stored: bytes
    server: bytes


#: The keys of a canonical login name, None if there are none.
Keys = Callable[[str, SaslPeer], Awaitable[ScramKeys | None]]


def keys_from_password(mechanism: str, password: bytes, name: str) -> ScramKeys:
    """Takes a millisecond or two. The salt is the same for a login name each time, as a client may expect of it."""
    digest = _DIGESTS[mechanism]
    salt = _salt(name)
    text = prepared(password.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    salted = hashlib.pbkdf2_hmac(digest, text, salt, _ITERATIONS)
    client = hmac.new(salted, b"Client Key", digest).digest()
    return ScramKeys(
        _ITERATIONS, salt, hashlib.new(digest, client).digest(), hmac.new(salted, b"Server Key", digest).digest()
    )


#: Makes salts that differ from those of other systems; forgotten when the process ends.
_PROCESS_SALT = os.urandom(32)


def _salt(name: str) -> bytes:
    return hmac.new(_PROCESS_SALT, _octets(name), "sha256").digest()[:16]


def parse_keys(text: str) -> ScramKeys:
    """``iterations,salt,stored key,server key``, as Dovecot's ``{SCRAM-SHA-256}`` has them. :raise ValueError:"""
    count, salt, stored, server = text.split(",")
    if not (count.isascii() and count.isdigit() and 0 < int(count[:9]) <= _MOST_ITERATIONS):
        raise ValueError(text)
    return ScramKeys(int(count[:9]), decoded(salt), decoded(stored), decoded(server))


class Scram:
    """One mechanism. :param random: so many random octets."""

    def __init__(self, mechanism: str, keys: Keys, random: Callable[[int], bytes] = os.urandom) -> None:
        self._digest = _DIGESTS[mechanism]
        self._mechanism = mechanism
        self._keys = keys
        self._random = random

    async def authenticate(self, initial: str | None, peer: SaslPeer, ask: Callable[[str], Awaitable[str]]) -> Login:
        """:raise SaslRefused, SaslAborted:"""
        first = _text(await ask("") if initial is None else initial)
        header, bare = _without_header(first)
        values = _attributes(bare)
        if "m" in values or not values.get("n") or not _printable(values.get("r", "")):
            raise SaslRefused(BAD_PROTOCOL)
        full = canonical(_name(values["n"]), peer.realm)
        if not full:
            raise SaslRefused(GENERIC, temporary=True)
        known = await self._keys(full, peer)
        keys = known or self._nobody(full)
        nonce = values["r"] + base64.b64encode(self._random(_NONCE_OCTETS)).decode()
        challenge = f"r={nonce},s={encoded(keys.salt)},i={keys.iterations}"
        final = _text(await ask(encoded(_octets(challenge))))
        without_proof, _, proof = final.rpartition(",p=")
        said = _attributes(without_proof)
        if said.get("r") != nonce or said.get("c") != encoded(_octets(header)):
            raise SaslRefused(BAD_PROTOCOL, full)
        signed = _octets(f"{bare},{challenge},{without_proof}")
        if not self._proved(keys, signed, proof) or known is None:
            raise SaslRefused(WRONG, full)
        acting_as = _name(_attributes(header).get("a", ""))
        if acting_as and canonical(acting_as, peer.realm) != full:
            raise SaslRefused(WRONG, canonical(acting_as, peer.realm))
        signature = hmac.new(keys.server, signed, self._digest).digest()
        if await ask(encoded(b"v=" + base64.b64encode(signature))):
            raise SaslRefused(BAD_PROTOCOL, full)
        return Login(full)

    def _nobody(self, name: str) -> ScramKeys:
        """Keys for a user that does not exist, the same each time, so that nobody learns who does."""
        return ScramKeys(_ITERATIONS, _salt(name), self._random(32), self._random(32))

    def _proved(self, keys: ScramKeys, signed: bytes, proof: str) -> bool:
        try:
            given = decoded(proof)
        except BadBase64:
            return False
        signature = hmac.new(keys.stored, signed, self._digest).digest()
        if len(given) != len(signature):
            return False
        client = bytes(left ^ right for left, right in zip(given, signature, strict=True))
        return hmac.compare_digest(hashlib.new(self._digest, client).digest(), keys.stored)


def _text(response: str) -> str:
    try:
        return decoded(response if response != "=" else "").decode("utf-8")
    except (BadBase64, UnicodeDecodeError):
        raise SaslRefused(BAD_PROTOCOL) from None


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _without_header(first: str) -> tuple[str, str]:
    """The GS2 header (``n,,`` or ``n,a=name,``) and the rest. Channel binding is not offered, so ``p`` is wrong."""
    flag, comma, rest = first.partition(",")
    acting_as, second, bare = rest.partition(",")
    if flag not in ("n", "y") or not comma or not second or (acting_as and not acting_as.startswith("a=")):
        raise SaslRefused(BAD_PROTOCOL)
    return f"{flag},{acting_as},", bare


def _attributes(text: str) -> dict[str, str]:
    return {part[:1]: part[2:] for part in text.split(",") if part[1:2] == "="}


def _printable(nonce: str) -> bool:
    return bool(nonce) and nonce.isascii() and nonce.isprintable()


def _name(text: str) -> str:
    if text.replace("=2C", "").replace("=3D", "").count("="):
        raise SaslRefused(BAD_PROTOCOL)
    return text.replace("=2C", ",").replace("=3D", "=")
