"""PLAIN (RFC 4616) and LOGIN, the server's side: the client sends name and password, something else verifies them.

Words and order of the checks are Cyrus SASL's, whose users see them in their logs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mailer.message.sasl import Login, SaslPeer, SaslRefused
from mailer.sasl.decoding import BadBase64, decoded, encoded

__all__ = ["BAD_PROTOCOL", "GENERIC", "WRONG", "Plaintext", "canonical"]

WRONG = "authentication failure"
GENERIC = "generic failure"
BAD_PROTOCOL = "bad protocol / cancel"
_UNFINISHED = "another step is needed in authentication"

Ask = Callable[[str], Awaitable[str]]
#: Verifies a name (as the client gave it) and a password. Raises SaslRefused.
Verify = Callable[[str, bytes, SaslPeer], Awaitable[None]]


def canonical(name: str, realm: str) -> str:
    """The login name in full: without white space around it, with the realm if it has none of its own."""
    name = name.strip()
    return f"{name}@{realm}" if name and realm and "@" not in name else name


class Plaintext:
    """:param remark: takes what the log should say besides the outcome."""

    def __init__(self, verify: Verify, remark: Callable[[str], None]) -> None:
        self._verify = verify
        self._remark = remark

    async def plain(self, initial: str | None, peer: SaslPeer, ask: Ask) -> Login:
        """:raise SaslRefused, SaslAborted:"""
        if initial is None:
            text = _response(await ask(""))
        else:
            try:
                text = decoded(initial) if initial != "=" else b""
            except BadBase64:
                text = b""
            if not text:
                raise SaslRefused(_UNFINISHED)
        acting_as, name, password = self._parts(text)
        full = self._canonical(name, peer)
        target = self._canonical(acting_as, peer) if acting_as else full
        try:
            await self._verify(name, password, peer)
        except SaslRefused:
            self._remark("Password verification failed")
            raise
        if target != full:
            self._remark("Requested identity not authenticated identity")
            raise SaslRefused(WRONG, target)
        return Login(full)

    async def login(self, initial: str | None, peer: SaslPeer, ask: Ask) -> Login:
        """:raise SaslRefused, SaslAborted:"""
        first = b""
        if initial is not None and initial != "=":
            try:
                first = decoded(initial)
            except BadBase64:
                first = b""
        name = (first or _response(await ask(encoded(b"Username:")))).decode("utf-8", "surrogateescape")
        password = _response(await ask(encoded(b"Password:")))
        full = self._canonical(name, peer)
        await self._verify(name, password, peer)
        return Login(full)

    def _canonical(self, name: str, peer: SaslPeer) -> str:
        full = canonical(name, peer.realm)
        if not full:
            self._remark("All-whitespace username.")
            raise SaslRefused(GENERIC, temporary=True)
        return full

    def _parts(self, text: bytes) -> tuple[str, str, bytes]:
        """:return: authorization identity, name, password."""
        parts = text.split(b"\0")
        if len(parts) == 3:
            return parts[0].decode("utf-8", "surrogateescape"), parts[1].decode("utf-8", "surrogateescape"), parts[2]
        if len(parts) == 1:
            self._remark("Can only find author (no password)")
        elif len(parts) == 2:
            self._remark("Can only find author/en (no password)")
        else:
            self._remark("Got more data than we were expecting in the PLAIN plugin?")
        raise SaslRefused(BAD_PROTOCOL)


def _response(text: str) -> bytes:
    """:raise SaslRefused:"""
    try:
        return decoded(text)
    except BadBase64:
        raise SaslRefused(BAD_PROTOCOL) from None
