"""What all sessions of one SMTP service share: settings, the parts it calls, counters.

Settings are read once and kept as plain attributes, because every session reads them again and again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import copy
from typing import Any

from mailer.interfaces.context import Context
from mailer.receive.anvil import Anvil
from mailer.receive.filter.filter import BeforeQueueFilter
from mailer.receive.footer import RejectFooter
from mailer.receive.keywords import EhloKeywords
from mailer.receive.loginfailures import LoginFailures
from mailer.receive.origin import HeaderContext, overrides
from mailer.receive.peername import PeerNames
from mailer.receive.received import ReceivedHeader
from mailer.receive.transcript import Transcripts
from mailer.receive.upstream import Upstream
from mailer.sasl.server import SaslServer, build
from mailer.tables.match import AddressList, DomainList, StringList, matches_subdomains
from mailer.tls.server import ServerTls

__all__ = ["Service"]


class Service:
    """One master.cf entry of the SMTP server.

    :param access: IAccess. :param addressing: IAddressing or None. :param sink: IMessageSink.
    :param anvil: shared with other services, or None: one of its own.
    :param flush: ``await flush(domain)`` tries what waits for a domain (ETRN), or None.
    :param stand_alone: the client is a local program behind a pipe (sendmail -bs): no TLS, no AUTH.
    :raise ConfigError: a setting cannot be used.
    """

    def __init__(
        self,
        context: Context,
        access: Any,
        addressing: Any,
        sink: Any,
        anvil: Anvil | None = None,
        flush: Callable[[str], Awaitable[None]] | None = None,
        stand_alone: bool = False,
    ) -> None:
        settings = context.settings
        clock = context.reactor.seconds
        self.name = context.name or "smtp"
        self.log = context.log
        self.seconds = context.seconds
        self.access = access
        self.addressing = addressing
        self.sink = sink
        if anvil is None:
            anvil = Anvil(
                clock,
                settings.anvil_rate_time_unit,
                settings.smtpd_client_ipv4_prefix_length,
                settings.smtpd_client_ipv6_prefix_length,
            )
        self.anvil = anvil
        self.peers: Any = PeerNames(context.dns if settings.smtpd_peername_lookup else None, clock)
        self.received = ReceivedHeader(
            settings.myhostname, settings.mail_name, context.seconds, settings.smtpd_hide_client_session
        )
        self.transcripts = Transcripts(context, sink)
        self.keywords = EhloKeywords(settings, context.tables)
        self.origin = HeaderContext(context)
        sni = settings.tls_server_sni_maps
        names = context.tables.maps(sni, "tls_server_sni_maps") if sni else None
        proxied = settings.smtpd_upstream_proxy_protocol
        self.upstream = (
            Upstream(settings.smtpd_upstream_proxy_timeout, settings.inet_protocols)
            if proxied and not stand_alone
            else None
        )
        self.stand_alone = stand_alone
        self.tls = ServerTls(settings, context.log, names, clock, stand_alone)
        self.sasl: SaslServer | None = None if stand_alone else build(context)
        self.login_failures = self._failures(settings, clock)
        self.footer = RejectFooter(settings, context.seconds, context.log, context.tables)

        self.hostname: str = settings.myhostname
        self.banner: str = settings.smtpd_banner
        self.port_logging: bool = settings.smtpd_client_port_logging
        self._read_protocol(context)
        self._read_limits(settings)
        self._read_lists(context)
        self.flush = flush
        self._messages = 0
        self._settings = settings
        self.stress = ""

    def _failures(self, settings: Any, clock: Callable[[], float]) -> LoginFailures | None:
        first = settings.smtpd_sasl_failure_delay
        if self.sasl is None or not first:
            return None
        longest = settings.smtpd_sasl_failure_max_delay
        return LoginFailures(clock, first, longest, settings.smtpd_sasl_failure_limit, settings.smtpd_sasl_failure_time)

    def close(self) -> None:
        """Give back what the service alone holds."""
        if self.sasl is not None:
            self.sasl.close()

    def _read_protocol(self, context: Context) -> None:
        settings = context.settings
        filters = settings.smtpd_command_filter
        self.delay_reject: bool = settings.smtpd_delay_reject
        self.ipv6: bool = bool({"all", "ipv6"}.intersection(settings.inet_protocols))
        self.soft_bounce: bool = settings.soft_bounce
        self.helo_required: bool = settings.smtpd_helo_required
        self.strict_envelopes: bool = settings.strict_rfc821_envelopes
        self.numeric_domains: bool = settings.resolve_numeric_domain
        self.null_domain: bool = settings.resolve_null_domain
        self.minus_allowed: bool = settings.allow_min_user
        self.smtputf8: bool = settings.smtputf8_enable
        self.strict_smtputf8: bool = settings.strict_smtputf8
        self.vrfy_disabled: bool = settings.disable_vrfy_command
        self.before_queue = BeforeQueueFilter(context) if settings.smtpd_proxy_filter else None
        self.open_early: bool = not settings.smtpd_delay_open_until_valid_rcpt and self.before_queue is None
        self.command_filter = context.tables.maps(filters) if filters else None
        self.pipelining_forbidden: bool = settings.smtpd_forbid_unauth_pipelining
        self.bare_newline: str = settings.smtpd_forbid_bare_newline.lower()
        self.bare_newline_code: int = settings.smtpd_forbid_bare_newline_reject_code
        self.verp_characters: str = settings.verp_delimiter_filter
        self.verp_default: str = settings.default_verp_delimiters

        self.filter: str = settings.content_filter
        self.overrides = overrides(settings)

    def _read_limits(self, settings: Any) -> None:
        self.line_limit: int = settings.line_length_limit
        self.timeout: float = settings.smtpd_timeout
        self.starttls_timeout: float = settings.smtpd_starttls_timeout
        self.per_request: bool = settings.smtpd_per_request_deadline
        self.data_rate: int = settings.smtpd_min_data_rate
        self.message_size_limit: int = settings.message_size_limit
        self.recipient_limit: int = settings.smtpd_recipient_limit
        self.overshoot_limit: int = settings.smtpd_recipient_overshoot_limit
        self.hard_error_limit: int = settings.smtpd_hard_error_limit
        self.soft_error_limit: int = settings.smtpd_soft_error_limit
        self.error_sleep_time: float = settings.smtpd_error_sleep_time
        self.junk_limit: int = settings.smtpd_junk_command_limit
        self.connection_count_limit: int = settings.smtpd_client_connection_count_limit
        self.connection_rate_limit: int = settings.smtpd_client_connection_rate_limit
        self.message_rate_limit: int = settings.smtpd_client_message_rate_limit
        self.recipient_rate_limit: int = settings.smtpd_client_recipient_rate_limit
        self.newtls_rate_limit: int = settings.smtpd_client_new_tls_session_rate_limit
        self.auth_rate_limit: int = settings.smtpd_client_auth_rate_limit
        self.counts_clients = any(
            (
                self.connection_count_limit,
                self.connection_rate_limit,
                self.message_rate_limit,
                self.recipient_rate_limit,
                self.newtls_rate_limit,
                self.auth_rate_limit,
            )
        )

    def under_stress(self) -> Service:
        """This service with the limits that hold under stress (STRESS_README); everything else is shared."""
        stressed = copy(self)
        stressed.stress = "yes"
        stressed._read_limits(self._settings.with_overrides({"stress": "yes"}))
        return stressed

    def _read_lists(self, context: Context) -> None:
        settings = context.settings

        def clients(patterns: tuple[str, ...], name: str) -> AddressList:
            return AddressList(patterns, context, name, matches_subdomains(settings, name))

        self.noop_commands = StringList(settings.smtpd_noop_commands, context, "smtpd_noop_commands")
        self.forbidden_commands = StringList(settings.smtpd_forbidden_commands, context, "smtpd_forbidden_commands")
        self.limit_exceptions = clients(
            settings.smtpd_client_event_limit_exceptions, "smtpd_client_event_limit_exceptions"
        )
        self.bare_newline_exclusions = clients(
            settings.smtpd_forbid_bare_newline_exclusions, "smtpd_forbid_bare_newline_exclusions"
        )
        self.xclient_hosts = clients(settings.smtpd_authorized_xclient_hosts, "smtpd_authorized_xclient_hosts")
        self.xforward_hosts = clients(settings.smtpd_authorized_xforward_hosts, "smtpd_authorized_xforward_hosts")
        self.verp_clients = clients(settings.smtpd_authorized_verp_clients, "smtpd_authorized_verp_clients")
        self.flush_domains = DomainList(
            settings.fast_flush_domains,
            context,
            "fast_flush_domains",
            matches_subdomains(settings, "fast_flush_domains"),
        )
        self.has_noop_commands = bool(self.noop_commands)
        self.has_xclient_hosts = bool(self.xclient_hosts)
        self.has_xforward_hosts = bool(self.xforward_hosts)
        self.has_verp_clients = bool(self.verp_clients)

    def instance(self) -> str:
        """A name for a transaction that no other has (policy servers see it)."""
        self._messages += 1
        return f"{id(self) & 0xFFFFFF:x}.{int(self.seconds() * 1000000):x}.{self._messages:x}.0"
