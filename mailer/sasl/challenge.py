"""CRAM-MD5 (RFC 2195), the server's side: the client proves that it knows the password without sending it."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Awaitable, Callable

from mailer.message.sasl import Login, SaslPeer, SaslRefused
from mailer.sasl.decoding import BadBase64, decoded, encoded
from mailer.sasl.plaintext import BAD_PROTOCOL, GENERIC, WRONG, canonical

__all__ = ["CramMd5"]

#: The password of a canonical login name in the clear, None if there is none.
Secret = Callable[[str, SaslPeer], Awaitable[bytes | None]]


class CramMd5:
    """:param random: so many random octets. :param seconds: the wall clock."""

    def __init__(
        self, secret: Secret, random: Callable[[int], bytes] = os.urandom, seconds: Callable[[], float] = time.time
    ) -> None:
        self._secret = secret
        self._random = random
        self._seconds = seconds

    async def authenticate(self, initial: str | None, peer: SaslPeer, ask: Callable[[str], Awaitable[str]]) -> Login:
        """:raise SaslRefused, SaslAborted:"""
        if initial is not None:  # the server speaks first (RFC 4954 4)
            raise SaslRefused(BAD_PROTOCOL)
        number = int.from_bytes(self._random(8), "big")
        challenge = f"<{number}.{int(self._seconds())}@{peer.hostname}>".encode()
        try:
            said = decoded(await ask(encoded(challenge)))
        except BadBase64:
            raise SaslRefused(BAD_PROTOCOL) from None
        name, space, digest = said.rpartition(b" ")
        if not space:
            raise SaslRefused(BAD_PROTOCOL)
        full = canonical(name.decode("utf-8", "surrogateescape"), peer.realm)
        if not full:
            raise SaslRefused(GENERIC, temporary=True)
        secret = await self._secret(full, peer)
        expected = hmac.new(secret if secret is not None else self._random(16), challenge, hashlib.md5).hexdigest()
        if not hmac.compare_digest(expected.encode(), digest.lower()) or secret is None:
            raise SaslRefused(WRONG, full)
        return Login(full)
