"""smtpd_sasl_type = cyrus: what Cyrus SASL's smtpd.conf says (SASL_README), without the library.

``pwcheck_method: saslauthd`` asks saslauthd(8); ``auxprop`` with ``auxprop_plugin: sasldb`` reads the file that saslpasswd2(8)
writes. Other plug-ins of Cyrus SASL (sql, ldapdb, GSSAPI) are not to be had: Dovecot, tables or LDAP can stand in for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.context import Context
from mailer.interfaces.sasl import ISaslServer
from mailer.message.sasl import Login, Mechanism, SaslPeer, SaslRefused
from mailer.message.status import TemporaryError
from mailer.sasl.challenge import CramMd5
from mailer.sasl.cyrusconf import find, places, read
from mailer.sasl.plaintext import GENERIC, WRONG, Plaintext, canonical
from mailer.sasl.saslauthd import SaslauthdClient, SaslauthdFailed
from mailer.sasl.sasldb import SaslDatabase
from mailer.sasl.scramserver import Scram, keys_from_password

__all__ = ["CyrusServer", "build"]

_PLAINTEXT = frozenset(("plaintext",))
#: In the order in which Cyrus SASL tells them if mech_list does not choose.
_WITH_SECRETS = (
    Mechanism("SCRAM-SHA-256", frozenset(("mutual-auth",))),
    Mechanism("SCRAM-SHA-1", frozenset(("mutual-auth",))),
    Mechanism("CRAM-MD5", frozenset()),
)
_ALWAYS = (Mechanism("PLAIN", _PLAINTEXT), Mechanism("LOGIN", _PLAINTEXT))
_ANONYMOUS = Mechanism("ANONYMOUS", frozenset(("anonymous",)))
_NO_MECHANISM = "no mechanism available"
_NEEDS_ENCRYPTION = "encryption needed to use mechanism"


@implementer(ISaslServer)
class CyrusServer:
    """:param options: of smtpd.conf. :raise ConfigError: they ask for what is not there."""

    def __init__(self, options: dict[str, str], context: Context) -> None:
        self._log = context.log
        self._saslauthd: SaslauthdClient | None = None
        self._database: SaslDatabase | None = None
        for method in options.get("pwcheck_method", "auxprop").lower().split():
            if method == "saslauthd":
                self._saslauthd = SaslauthdClient(options.get("saslauthd_path", ""), context)
            elif method == "auxprop":
                plugin = options.get("auxprop_plugin", "sasldb").lower()
                if plugin != "sasldb":
                    raise ConfigError(f"smtpd.conf: auxprop_plugin: {plugin} is not supported, only sasldb")
                self._database = SaslDatabase(options.get("sasldb_path", "/etc/sasldb2"), context)
            else:
                raise ConfigError(f"smtpd.conf: pwcheck_method: {method} is not supported, only saslauthd and auxprop")
        usable = (*(_WITH_SECRETS if self._database is not None else ()), *_ALWAYS)
        by_name = {mechanism.name: mechanism for mechanism in (*usable, _ANONYMOUS)}
        wanted = dict.fromkeys(options.get("mech_list", "").upper().replace(",", " ").split())
        self._mechanisms = tuple(by_name[name] for name in wanted if name in by_name) if wanted else usable
        self._plaintext = Plaintext(self._verify, self._remark)

    def _remark(self, text: str) -> None:
        self._log.warning(f"SASL authentication failure: {text}")

    async def mechanisms(self) -> tuple[Mechanism, ...]:
        """See ISaslServer."""
        if not self._mechanisms:
            raise TemporaryError("no SASL authentication mechanisms")
        return self._mechanisms

    def unusable(self, mechanism: str) -> SaslRefused:
        """See ISaslServer."""
        if any(known.name == mechanism.upper() for known in self._mechanisms):
            return SaslRefused(_NEEDS_ENCRYPTION)
        self._remark(f"Couldn't find mech {mechanism}")
        return SaslRefused(_NO_MECHANISM)

    async def authenticate(
        self, mechanism: str, initial: str | None, peer: SaslPeer, ask: Callable[[str], Awaitable[str]]
    ) -> Login:
        """See ISaslServer."""
        name = mechanism.upper()
        if name == "PLAIN":
            return await self._plaintext.plain(initial, peer, ask)
        if name == "LOGIN":
            return await self._plaintext.login(initial, peer, ask)
        if name == "ANONYMOUS":
            if initial is None:
                await ask("")  # whatever the client calls itself (RFC 4505)
            return Login("anonymous")
        if name == "CRAM-MD5":
            return await CramMd5(self._secret).authenticate(initial, peer, ask)
        return await Scram(name, self._keys(name)).authenticate(initial, peer, ask)

    async def _verify(self, name: str, password: bytes, peer: SaslPeer) -> None:
        user, realm = _split(name, peer.realm)
        full = canonical(name, peer.realm)
        if self._database is not None:
            known = await self._secret(full, peer)
            if known is not None and known == password:
                return
        if self._saslauthd is None:
            raise SaslRefused(WRONG, full)
        try:
            good = await self._saslauthd.verify(user, password, peer.service, realm)
        except SaslauthdFailed as error:
            self._remark(str(error))
            raise SaslRefused(GENERIC, full, temporary=True) from error
        if not good:
            raise SaslRefused(WRONG, full)

    async def _secret(self, full: str, peer: SaslPeer) -> bytes | None:
        """The password of a user in the database. :raise SaslRefused: it cannot be read."""
        assert self._database is not None
        user, _, realm = full.rpartition("@") if "@" in full else (full, "", peer.hostname)
        try:
            return await self._database.password(user, realm)
        except TemporaryError as error:
            self._log.warning(f"SASL authentication problem: {error.cause}")
            raise SaslRefused(GENERIC, full, temporary=True) from error

    def _keys(self, mechanism: str) -> Any:
        async def keys(full: str, peer: SaslPeer) -> Any:
            secret = await self._secret(full, peer)
            return None if secret is None else keys_from_password(mechanism, secret, full)

        return keys

    def close(self) -> None:
        """See ISaslServer."""


def _split(name: str, realm: str) -> tuple[str, str]:
    """User and realm as saslauthd is asked for them."""
    user, at, own = name.strip().rpartition("@")
    return (user, own) if at else (name.strip(), realm)


def build(argument: str, context: Context) -> CyrusServer:
    """The plug-in's factory, see ISaslServerFactory. :param argument: the file's name without ``.conf``."""
    settings = context.settings
    path = find(argument, places(settings.cyrus_sasl_config_path, settings.config_directory))
    return CyrusServer(read(path) if path else {}, context)
