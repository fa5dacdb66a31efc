"""XOAUTH2 (Google's and Microsoft's) and OAUTHBEARER (RFC 7628), the client's side: the password is an access token.

A server that refuses a token says why in a challenge, which is answered by a line that means nothing; then it says no.
"""

from __future__ import annotations

from mailer.message.address import encode
from mailer.sasl.client_exchange import Credentials
from mailer.sasl.client_password import finished

__all__ = ["OAuthBearer", "XOAuth2"]


class _Bearer:
    slow = False
    #: The answer to a refusal.
    acknowledged = b""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._refused = False

    def step(self, challenge: bytes) -> bytes:
        if self._refused:
            raise finished()
        self._refused = True
        return self.acknowledged

    def end(self) -> None:
        return None


class XOAuth2(_Bearer):
    def begin(self) -> bytes:
        return encode(f"user={self._credentials.name}\1auth=Bearer {self._credentials.password}\1\1")


class OAuthBearer(_Bearer):
    acknowledged = b"\1"

    def begin(self) -> bytes:
        given = self._credentials
        name = given.name.replace("=", "=3D").replace(",", "=2C")
        server = f"host={given.host}\1port={given.port}\1" if given.host else ""
        return encode(f"n,a={name},\1{server}auth=Bearer {given.password}\1\1")
