"""Authentication of one SMTP service's clients: which back end, which of its mechanisms, and under which conditions.

Knows neither SMTP nor any back end's protocol. SASL_README; postconf(5), smtpd_sasl_*.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mailer.config.errors import ConfigError
from mailer.interfaces.context import Context
from mailer.interfaces.sasl import ISaslServerFactory
from mailer.message.sasl import Login, Mechanism, SaslPeer, SaslRefused
from mailer.message.status import TemporaryError
from mailer.plugins.registry import installed
from mailer.sasl.options import SecurityOptions
from mailer.tables.match import AddressList, StringList, matches_subdomains

__all__ = ["NoMechanisms", "SaslServer", "build"]


class NoMechanisms(TemporaryError):
    """No client of this service can log in now. The text is for the log."""


class SaslServer:
    """Built once for a service with smtpd_sasl_auth_enable.

    :param back_end: ISaslServer. :raise ConfigError: a setting is wrong.
    """

    def __init__(self, back_end: Any, context: Context) -> None:
        settings = context.settings
        self._back_end = back_end
        self._filter = StringList(settings.smtpd_sasl_mechanism_filter, context, "smtpd_sasl_mechanism_filter")
        self._options = (
            SecurityOptions(settings.smtpd_sasl_security_options, "smtpd_sasl_security_options"),
            SecurityOptions(settings.smtpd_sasl_tls_security_options, "smtpd_sasl_tls_security_options"),
        )
        name = "smtpd_sasl_exceptions_networks"
        self._exceptions = AddressList(
            settings.smtpd_sasl_exceptions_networks, context, name, matches_subdomains(settings, name)
        )
        self._has_exceptions = bool(self._exceptions)
        self.service: str = settings.smtpd_sasl_service
        self.realm: str = settings.smtpd_sasl_local_domain
        self.hostname: str = settings.myhostname
        self.response_limit: int = settings.smtpd_sasl_response_limit
        self.authenticated_header: bool = settings.smtpd_sasl_authenticated_header
        self.broken_clients: bool = settings.broken_sasl_auth_clients

    async def allowed(self, encrypted: bool) -> tuple[Mechanism, ...]:
        """The mechanisms that the security options leave. :raise TemporaryError: none, or the back end is away."""
        options = self._options[encrypted]
        known = await self._back_end.mechanisms()
        allowed = tuple(mechanism for mechanism in known if options.allow(mechanism))
        if not allowed:
            raise NoMechanisms("no SASL authentication mechanisms")
        return allowed

    async def announced(self, allowed: tuple[Mechanism, ...]) -> tuple[str, ...]:
        """Those that the reply to EHLO names. :raise TemporaryError: none is left, or a table cannot tell."""
        names = [mechanism.name for mechanism in allowed if "private" not in mechanism.properties]
        found = tuple([name for name in names if await self._filter.match(name)])
        if not found:
            raise NoMechanisms(f"smtpd_sasl_mechanism_filter discards all mechanisms in '{' '.join(names)}'")
        return found

    async def excepted(self, name: str, address: str) -> bool:
        """Whether AUTH is kept from a client. :raise TemporaryError: a table cannot tell."""
        return self._has_exceptions and await self._exceptions.match(name, address)

    async def authenticate(
        self,
        mechanism: str,
        initial: str | None,
        peer: SaslPeer,
        allowed: tuple[Mechanism, ...],
        ask: Callable[[str], Awaitable[str]],
    ) -> Login:
        """See ISaslServer. :param allowed: nothing else will do. :raise SaslRefused, SaslAborted:"""
        if not any(known.name.upper() == mechanism.upper() for known in allowed):
            refused: SaslRefused = self._back_end.unusable(mechanism)
            raise refused
        login: Login = await self._back_end.authenticate(mechanism, initial, peer, ask)
        if not login.username:
            raise SaslRefused("no login name", temporary=True)
        return login

    def close(self) -> None:
        self._back_end.close()


def build(context: Context) -> SaslServer | None:
    """The authentication of a service, None if it has none.

    :raise ConfigError: there is no such type, or it cannot be used as it is configured.
    """
    settings = context.settings
    if not settings.smtpd_sasl_auth_enable:
        return None
    kind: str = settings.smtpd_sasl_type
    factory = installed(ISaslServerFactory, "SASL server type").find(kind)
    if factory is None:
        raise ConfigError(f"smtpd_sasl_type: unsupported SASL server implementation: {kind}")
    return SaslServer(factory.build(settings.smtpd_sasl_path, context), context)
