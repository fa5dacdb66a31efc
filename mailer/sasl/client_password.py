"""PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login) and CRAM-MD5 (RFC 2195), the client's side."""

from __future__ import annotations

import hmac

from mailer.message.address import encode
from mailer.sasl.client_exchange import Credentials, ExchangeFailed

__all__ = ["CramMd5", "Login", "Plain", "finished"]


def finished() -> ExchangeFailed:
    """The server wants more than the mechanism has to say."""
    return ExchangeFailed("generic failure", "SASL authentication problem: attempting client step after doneflag")


class Plain:
    slow = False

    def __init__(self, credentials: Credentials) -> None:
        self._response = "\0".join((credentials.acting_as, credentials.name, credentials.password))

    def begin(self) -> bytes:
        return encode(self._response)

    def step(self, challenge: bytes) -> bytes:
        raise finished()

    def end(self) -> None:
        return None


class Login:
    """What the server asks is not read: its first question is for the name, its second for the password."""

    slow = False

    def __init__(self, credentials: Credentials) -> None:
        self._answers = [credentials.name, credentials.password]

    def begin(self) -> None:
        return None

    def step(self, challenge: bytes) -> bytes:
        if not self._answers:
            raise finished()
        return encode(self._answers.pop(0))

    def end(self) -> None:
        return None


class CramMd5:
    slow = False

    def __init__(self, credentials: Credentials) -> None:
        self._name = encode(credentials.name)
        self._password = encode(credentials.password)
        self._done = False

    def begin(self) -> None:
        return None

    def step(self, challenge: bytes) -> bytes:
        if self._done:
            raise finished()
        self._done = True
        return self._name + b" " + hmac.new(self._password, challenge, "md5").hexdigest().encode("ascii")

    def end(self) -> None:
        return None
