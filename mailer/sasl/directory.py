"""smtpd_sasl_type = ldap: a login is right if the directory lets the client's entry bind with the password.

smtpd_sasl_path is a file with the parameters of ldap_table(5), or a name for parameters in main.cf. The entry is searched
for with ``query_filter`` under ``search_base`` (as ``bind_dn``, if that is set), or named by ``user_dn``, a template of our own,
which saves the search. PLAIN and LOGIN only: a directory has to see the password. ldap3 waits for its server, so all of it
happens in threads.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPInvalidCredentialsResult
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import escape_rdn
from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.context import Context
from mailer.interfaces.sasl import ISaslServer
from mailer.message.sasl import Login, Mechanism, SaslPeer, SaslRefused
from mailer.sasl.plaintext import WRONG, Plaintext, canonical
from mailer.sasl.threads import Threads
from mailer.tables.parameters import Parameters

__all__ = ["DirectoryServer", "Directory", "build"]

_LATER = "temporary failure of the directory"
_MECHANISMS = (Mechanism("PLAIN", frozenset(("plaintext",))), Mechanism("LOGIN", frozenset(("plaintext",))))
_SCOPES = {"sub": ldap3.SUBTREE, "one": ldap3.LEVEL, "base": ldap3.BASE}
_MOST_AT_ONCE = 20


class Directory:
    """Settings and the two questions. Blocks.

    :param connect: makes a connection, as ldap3.Connection does. :raise ConfigError: a parameter is wrong or missing.
    """

    def __init__(self, source: Parameters, connect: Callable[..., Any] = ldap3.Connection) -> None:
        self._connect = connect
        self._hosts = source.words("server_host", "localhost")
        self._port = source.integer("server_port", 389)
        self._timeout = source.integer("timeout", 10)
        self._start_tls = source.boolean("start_tls", False)
        certificates = source.text("tls_ca_cert_file")
        verify = source.boolean("tls_require_cert", True)
        self._tls = ldap3.Tls(
            validate=ssl.CERT_REQUIRED if verify else ssl.CERT_NONE, ca_certs_file=certificates or None
        )
        binds = source.boolean("bind", True) and source.text("bind_dn")
        self._bind = (source.text("bind_dn"), source.text("bind_pw")) if binds else (None, None)
        self._base = source.text("search_base")
        self._filter = source.text("query_filter", "(uid=%s)")
        self._template = source.text("user_dn")
        scope = source.text("scope", "sub").lower()
        if scope not in _SCOPES:
            raise ConfigError(f"{source.name}: scope: sub, one or base expected, not {scope}")
        self._scope = _SCOPES[scope]
        if not self._base and not self._template:
            raise ConfigError(f"{source.name}: search_base or user_dn is needed")

    def verify(self, name: str, password: str) -> bool:
        """:raise LDAPException: the directory cannot tell now."""
        last: LDAPException | None = None
        for host in self._hosts:
            try:
                return self._verify_at(self._server(host), name, password)
            except LDAPException as error:
                last = error
        raise last or LDAPException("server_host is empty")

    def _server(self, host: str) -> Any:
        url = host if "://" in host else f"ldap://{host}" + ("" if ":" in host else f":{self._port}")
        return ldap3.Server(url, tls=self._tls, get_info=ldap3.NONE, connect_timeout=self._timeout)

    def _verify_at(self, server: Any, name: str, password: str) -> bool:
        entry = _expand(self._template, name, escape_rdn) if self._template else self._find(server, name)
        if not entry:
            return False
        connection = self._open(server, entry, password)
        try:
            return bool(connection.bind())
        except LDAPInvalidCredentialsResult:
            return False
        finally:
            connection.unbind()

    def _find(self, server: Any, name: str) -> str:
        """The one entry; "" if there is none, or more than one, so that nobody knows which is meant."""
        connection = self._open(server, *self._bind)
        try:
            connection.bind()
            wanted = _expand(self._filter, name, escape_filter_chars)
            connection.search(self._base, wanted, self._scope, attributes=[ldap3.NO_ATTRIBUTES], size_limit=2)
            found = [item["dn"] for item in connection.response if item["type"] == "searchResEntry"]
            return found[0] if len(found) == 1 else ""
        finally:
            connection.unbind()

    def _open(self, server: Any, user: str | None, password: str | None) -> Any:
        connection = self._connect(
            server, user, password, receive_timeout=self._timeout, raise_exceptions=True, read_only=True
        )
        if self._start_tls:
            connection.start_tls()
        return connection


def _expand(template: str, name: str, escape: Callable[[str], str]) -> str:
    """``%s`` is the login name, ``%u`` what stands before its ``@``, ``%d`` what stands behind, ``%%`` a percent sign."""
    user, _, domain = name.rpartition("@") if "@" in name else (name, "", "")
    values = {letter: escape(text) if text else "" for letter, text in (("s", name), ("u", user), ("d", domain))}
    head, *parts = template.replace("%%", "%\0").split("%")
    return head + "".join("%" + part[1:] if part[:1] == "\0" else values.get(part[:1], "") + part[1:] for part in parts)


@implementer(ISaslServer)
class DirectoryServer:
    """:param name: for the log."""

    def __init__(self, directory: Any, name: str, context: Context) -> None:
        self._directory = directory
        self._name = name
        self._log = context.log
        self._threads = Threads(context.reactor, _MOST_AT_ONCE)
        self._plaintext = Plaintext(self._verify, self._remark)

    def _remark(self, text: str) -> None:
        """The line about the failed login is enough."""

    async def mechanisms(self) -> tuple[Mechanism, ...]:
        """See ISaslServer."""
        return _MECHANISMS

    def unusable(self, mechanism: str) -> SaslRefused:
        """See ISaslServer."""
        return SaslRefused("no mechanism available")

    async def authenticate(
        self, mechanism: str, initial: str | None, peer: SaslPeer, ask: Callable[[str], Awaitable[str]]
    ) -> Login:
        """See ISaslServer."""
        if mechanism.upper() == "PLAIN":
            return await self._plaintext.plain(initial, peer, ask)
        return await self._plaintext.login(initial, peer, ask)

    async def _verify(self, name: str, password: bytes, peer: SaslPeer) -> None:
        full = canonical(name, peer.realm)
        try:
            text, _ = password.decode("utf-8"), full.encode("utf-8")
        except UnicodeError:
            raise SaslRefused(WRONG, full) from None
        # Without a password a bind succeeds and proves nothing (RFC 4513 5.1.2).
        if not text or "\0" in text or "\0" in full:
            raise SaslRefused(WRONG, full)
        if self._threads.busy:
            raise SaslRefused(_LATER, full, temporary=True)
        try:
            good = await self._threads.run(self._directory.verify, full, text)
        except LDAPException as error:
            self._log.warning(f"{self._name}: {type(error).__name__}: {error}")
            raise SaslRefused(_LATER, full, temporary=True) from error
        if not good:
            raise SaslRefused(WRONG, full)

    def close(self) -> None:
        """See ISaslServer; nothing is kept open."""


def build(argument: str, context: Context) -> DirectoryServer:
    """The plug-in's factory, see ISaslServerFactory."""
    return DirectoryServer(Directory(Parameters(argument, context)), f"ldap:{argument}", context)
