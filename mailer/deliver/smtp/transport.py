"""The SMTP and LMTP transports, and how a service of master.cf is built."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from mailer.addressing.service import build_mapper
from mailer.config.errors import ConfigError
from mailer.deliver.smtp.bestmx import BestMx
from mailer.deliver.smtp.dane import DaneParameters, lmtp_dane_parameters, smtp_dane_parameters
from mailer.deliver.smtp.delivery import Delivery
from mailer.deliver.smtp.desk import Desk
from mailer.deliver.smtp.destination import known_ports
from mailer.deliver.smtp.encryption import Encryption
from mailer.deliver.smtp.flags import parse_flags
from mailer.deliver.smtp.login import Login
from mailer.deliver.smtp.login_parameters import LoginParameters, lmtp_login_parameters, smtp_login_parameters
from mailer.deliver.smtp.outgoing.outgoing import Outgoing
from mailer.deliver.smtp.outgoing.parameters import (
    OutgoingParameters,
    lmtp_outgoing_parameters,
    smtp_outgoing_parameters,
)
from mailer.deliver.smtp.parameters import ClientParameters, lmtp_parameters, smtp_parameters
from mailer.deliver.smtp.policy import Policy
from mailer.deliver.smtp.tls_parameters import TlsParameters, lmtp_tls_parameters, smtp_tls_parameters
from mailer.deliver.smtp.tls_policies import TlsPolicies
from mailer.deliver.statusfilter import filtered
from mailer.interfaces.transport import ITransport
from mailer.message.delivery import DeliveryRequest
from mailer.net.own_addresses import own_addresses
from mailer.tables.match import StringList
from mailer.tls.client import ClientTls

__all__ = ["SmtpTransport", "build_lmtp", "build_smtp"]


@implementer(ITransport)
class SmtpTransport:
    """Delivers by SMTP or LMTP."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def deliver(self, request: DeliveryRequest, outcomes: Any) -> None:
        await Delivery(self._desk, request, outcomes).run()

    async def stop(self) -> None:
        self._desk.pool.close()


def _build(
    argument: Sequence[str],
    context: Any,
    parameters: ClientParameters,
    tls: TlsParameters,
    dane: DaneParameters,
    login: LoginParameters,
    changes: OutgoingParameters,
) -> Any:
    settings, tables = context.settings, context.tables
    try:
        flags = parse_flags(argument)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    own = own_addresses((*settings.inet_interfaces, *settings.proxy_interfaces), parameters.inet_protocols)

    def maps(specs: tuple[str, ...]) -> Any:
        return tables.maps(specs) if specs else None

    policies = TlsPolicies(tls, maps(tls.policy_maps), maps(tls.per_site), context.log, dane, context.dns)
    contexts = ClientTls(tls.context, settings, context.log, context.reactor.seconds, policies.dane.digests)
    encryption = Encryption(tls, policies, contexts, context.log)
    login.check()
    policy: Policy = encryption
    if login.enabled:
        policy = _logging_in(encryption, login, context)
    desk = encryption.desk = Desk(
        parameters,
        context.reactor,
        context.seconds,
        context.log,
        context.dns,
        callers=context.connections,
        flags=flags,
        policy=policy,
        is_own=own.__contains__,
        ports=known_ports(settings.known_tcp_ports),
        ehlo_keywords=maps(parameters.discard_keyword_maps),
        pix_maps=maps(parameters.pix_workaround_maps),
        reply_filter=maps(parameters.reply_filter),
        directory=context.queue_directory,
        outgoing=_outgoing(changes, context) if changes else None,
        best_mx=BestMx(parameters.best_mx, context.transports, context.log) if parameters.best_mx else None,
    )
    name = "lmtp_delivery_status_filter" if parameters.lmtp else "smtp_delivery_status_filter"
    return filtered(SmtpTransport(desk), parameters.delivery_status_filter, name, context)


def _logging_in(inner: Policy, login: LoginParameters, context: Any) -> Login:
    settings, reactor = context.settings, context.reactor

    def in_thread(function: Any, *arguments: Any) -> Any:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    async def is_local(domain: str) -> bool:
        return bool(await context.addressing.address_class(domain) == "local")

    wanted = login.mechanism_filter
    return Login(
        inner,
        login,
        context.tables.maps(login.password_maps, login.name),
        StringList(wanted, context, login.name.replace("password_maps", "mechanism_filter")) if wanted else None,
        context.log,
        in_thread,
        os.urandom,
        settings.recipient_delimiter,
        is_local if context.addressing is not None else None,
    )


def _outgoing(changes: OutgoingParameters, context: Any) -> Outgoing:
    # Only the rules are of use here: which domains are ours, how addresses are completed and searched for.
    mapper = build_mapper(context) if changes.generic_maps else None
    return Outgoing(changes, context.tables, mapper, context.log)


def build_smtp(argument: Sequence[str], context: Any) -> Any:
    """The ``smtp`` command of master.cf."""
    settings = context.settings
    login = smtp_login_parameters(settings)
    return _build(
        argument,
        context,
        smtp_parameters(settings),
        smtp_tls_parameters(settings),
        smtp_dane_parameters(settings),
        login,
        smtp_outgoing_parameters(settings),
    )


def build_lmtp(argument: Sequence[str], context: Any) -> Any:
    """The ``lmtp`` command of master.cf."""
    settings = context.settings
    login = lmtp_login_parameters(settings)
    return _build(
        argument,
        context,
        lmtp_parameters(settings),
        lmtp_tls_parameters(settings),
        lmtp_dane_parameters(settings),
        login,
        lmtp_outgoing_parameters(settings),
    )
