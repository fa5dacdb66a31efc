"""smtpd_sasl_type = table: login names and stored passwords in the lookup tables that smtpd_sasl_path names.

The key is the login name (with the realm of smtpd_sasl_local_domain if it has none), the value what ``mailer.sasl.passwords``
reads. PLAIN and LOGIN work with every value, SCRAM with SCRAM keys or the clear text, CRAM-MD5 with the clear text; the last
two are on offer only if ``scram`` and ``cram-md5`` stand in front of the tables, because EHLO comes before the name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.config.values import split_list
from mailer.interfaces.context import Context
from mailer.interfaces.sasl import ISaslServer
from mailer.message.sasl import Login, Mechanism, SaslPeer, SaslRefused
from mailer.message.status import TemporaryError
from mailer.sasl.challenge import CramMd5
from mailer.sasl.passwords import BadStored, clear_text, matches, preload, scram_keys
from mailer.sasl.plaintext import WRONG, Plaintext, canonical
from mailer.sasl.scramserver import Scram, ScramKeys, keys_from_password
from mailer.sasl.threads import Threads

__all__ = ["TableServer", "build"]

_LATER = "temporary failure of the password database"
_SCRAM = "SCRAM-SHA-256"
_PLAINTEXT = (Mechanism("PLAIN", frozenset(("plaintext",))), Mechanism("LOGIN", frozenset(("plaintext",))))
_OPTIONAL = {
    "scram": Mechanism(_SCRAM, frozenset(("mutual-auth",))),
    "cram-md5": Mechanism("CRAM-MD5", frozenset(("dictionary", "active"))),
}


@implementer(ISaslServer)
class TableServer:
    """:param argument: smtpd_sasl_path. :raise ConfigError: it names no table."""

    def __init__(self, argument: str, context: Context) -> None:
        words = split_list(argument)
        optional = [word for word in words if word.lower() in _OPTIONAL]
        tables = [word for word in words if word not in optional]
        if not tables or not all(":" in word for word in tables):
            raise ConfigError(f"smtpd_sasl_path: type:name of a lookup table expected, not `{argument}'")
        self._tables = context.tables.maps(tables, "smtpd_sasl_path")
        self._mechanisms = (*(_OPTIONAL[word.lower()] for word in optional), *_PLAINTEXT)
        preload()
        self._log = context.log
        self._threads = Threads(context.reactor)
        self._plaintext = Plaintext(self._verify, self._remark)

    def _remark(self, text: str) -> None:
        """The line about the failed login is enough."""

    async def mechanisms(self) -> tuple[Mechanism, ...]:
        """See ISaslServer."""
        return self._mechanisms

    def unusable(self, mechanism: str) -> SaslRefused:
        """See ISaslServer."""
        return SaslRefused("no mechanism available")

    async def authenticate(
        self, mechanism: str, initial: str | None, peer: SaslPeer, ask: Callable[[str], Awaitable[str]]
    ) -> Login:
        """See ISaslServer."""
        name = mechanism.upper()
        if name == "PLAIN":
            return await self._plaintext.plain(initial, peer, ask)
        if name == "LOGIN":
            return await self._plaintext.login(initial, peer, ask)
        if name == "CRAM-MD5":
            return await CramMd5(self._secret).authenticate(initial, peer, ask)
        return await Scram(_SCRAM, self._keys).authenticate(initial, peer, ask)

    async def _stored(self, full: str) -> str | None:
        """:raise SaslRefused: cannot tell now."""
        try:
            stored: str | None = await self._tables.lookup(full)
        except TemporaryError as error:  # the table has logged it
            raise SaslRefused(_LATER, full, temporary=True) from error
        return stored

    def _unusable(self, full: str, error: BadStored) -> SaslRefused:
        self._log.warning(f"{self._tables.name}: login name {full}: {error}")
        return SaslRefused(_LATER, full, temporary=True)

    async def _verify(self, name: str, password: bytes, peer: SaslPeer) -> None:
        full = canonical(name, peer.realm)
        stored = await self._stored(full)
        if stored is None:
            raise SaslRefused(WRONG, full)
        if self._threads.busy:
            raise SaslRefused(_LATER, full, temporary=True)
        try:
            good = await self._threads.run(matches, stored, password)
        except BadStored as error:
            raise self._unusable(full, error) from error
        if not good:
            raise SaslRefused(WRONG, full)

    async def _secret(self, full: str, peer: SaslPeer) -> bytes | None:
        stored = await self._stored(full)
        try:
            return None if stored is None else clear_text(stored)
        except BadStored as error:
            raise self._unusable(full, error) from error

    async def _keys(self, full: str, peer: SaslPeer) -> ScramKeys | None:
        stored = await self._stored(full)
        if stored is None:
            return None
        try:
            keys, secret = scram_keys(stored, _SCRAM), clear_text(stored)
        except BadStored as error:
            raise self._unusable(full, error) from error
        if keys is None and secret is not None:
            return keys_from_password(_SCRAM, secret, full)
        return keys

    def close(self) -> None:
        """See ISaslServer; the tables belong to the service."""


def build(argument: str, context: Context) -> TableServer:
    """The plug-in's factory, see ISaslServerFactory."""
    return TableServer(argument, context)
