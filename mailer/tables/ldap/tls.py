"""TLS of connections to directories: tls_require_cert, tls_ca_cert_file and their kin (ldap_table(5)).

With tls_require_cert the server's certificate has to be trusted and to name the host of the URL; without, anybody will do.
"""

from __future__ import annotations

import socket
from typing import Any

from OpenSSL import SSL
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import optionsForClientTLS
from zope.interface import implementer

from mailer.tables.ldap.access import Tls
from mailer.tables.ranking import ServerAway

__all__ = ["client_options"]


def client_options(tls: Tls, host: str) -> Any:
    """What startTLS wants for a connection to ``host``. :raise ServerAway: a file cannot be used."""
    try:
        if tls.verify:
            trust = _Trust(tls)
            # Twisted reads the files when the handshake begins, where nobody can be told what is wrong with them.
            trust._addCACertsToContext(SSL.Context(SSL.TLS_METHOD))
            return optionsForClientTLS(host, trust)
        return _Unverified(tls, host)
    except (SSL.Error, ValueError, UnicodeError) as error:
        raise ServerAway(f"TLS cannot be used: {_text(error)}") from None


def _text(error: Exception) -> str:
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(str(entry[-1]) for entry in entries) or str(error)


def _prepare(context: SSL.Context, tls: Tls) -> None:
    context.set_options(SSL.OP_NO_SSLv2 | SSL.OP_NO_SSLv3 | SSL.OP_NO_COMPRESSION)
    if tls.certificate:
        context.use_certificate_chain_file(tls.certificate)
        context.use_privatekey_file(tls.key or tls.certificate)
    if tls.ciphers:
        context.set_cipher_list(tls.ciphers.encode())


@implementer(IOpenSSLTrustRoot)
class _Trust:
    """Whom to trust, in the shape Twisted asks for (IOpenSSLTrustRoot)."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls

    def _addCACertsToContext(self, context: SSL.Context) -> None:
        tls = self._tls
        if tls.ca_file:
            context.load_verify_locations(tls.ca_file)
        elif tls.ca_directory:
            context.load_verify_locations(None, tls.ca_directory)
        else:
            context.set_default_verify_paths()
        _prepare(context, tls)


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """Encryption with whoever answers."""

    def __init__(self, tls: Tls, host: str) -> None:
        self._context = SSL.Context(SSL.TLS_METHOD)
        self._context.set_verify(SSL.VERIFY_NONE)
        _prepare(self._context, tls)
        self._name = b"" if _is_literal(host) else host.encode("ascii", "ignore")

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if self._name:
            connection.set_tlsext_host_name(self._name)
        return connection


def _is_literal(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False
