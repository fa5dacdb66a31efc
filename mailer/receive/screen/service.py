"""What all clients of one screening service share: settings, lists, the record of those who passed, counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from mailer.config.errors import ConfigError
from mailer.interfaces.context import Context
from mailer.message.status import TemporaryError
from mailer.receive.footer import RejectFooter
from mailer.receive.keywords import EhloKeywords
from mailer.receive.screen.accesslist import AccessList
from mailer.receive.screen.blocklists import Blocklists
from mailer.receive.screen.lines import Words
from mailer.receive.screen.settings import as_smtpd
from mailer.receive.screen.stamps import Stamps, Trial
from mailer.receive.upstream import Upstream
from mailer.tables.cache import Cache
from mailer.tables.match import AddressList, StringList, matches_subdomains
from mailer.tls.server import ServerTls

__all__ = ["Screen"]

#: The parts of postscreen_pre_queue_limit at which stress begins and ends.
_STRESS, _CALM = 0.9, 0.7


class Screen:
    """One postscreen line of master.cf.

    ``wanted`` are the tests that are on, ``actions`` what happens to who fails one, by test. ``stress`` is on while many
    clients are being tested, and makes them wait less long.

    :param context: of the service. :param logs: gives the logs of its helpers by their names.
    :param cache: shared by all services with the same postscreen_cache_map, and kept by whoever made it.
    :raise ConfigError: a setting makes no sense.
    """

    def __init__(self, context: Context, logs: Callable[[str], Any], cache: Cache) -> None:
        settings = context.settings
        self.log = context.log
        self.tls_log = logs("tlsproxy")
        self.reactor = context.reactor
        self.seconds: Callable[[], float] = context.seconds
        self.cache = cache
        self.words = Words(settings.respectful_logging)
        self.hostname: str = settings.myhostname
        self.soft: bool = settings.soft_bounce
        self.banner = f"220 {settings.smtpd_banner}\r\n".encode("utf-8", "surrogateescape")
        teaser: str = settings.postscreen_greet_banner
        self.teaser = f"220-{teaser}\r\n".encode("utf-8", "surrogateescape") if teaser else b""
        self.line_limit: int = settings.line_length_limit
        self.count_limit: int = settings.postscreen_client_connection_count_limit
        self.queue_limit: int = settings.postscreen_pre_queue_limit
        self.command_limit: int = settings.postscreen_command_count_limit
        self.helo_required: bool = settings.postscreen_helo_required
        self.vrfy_disabled: bool = settings.postscreen_disable_vrfy_command
        self.denylist_action: str = settings.postscreen_denylist_action
        self._retention: float = settings.postscreen_cache_retention_time
        self._cleanup: float = settings.postscreen_cache_cleanup_interval
        self._waits = _under_stress(settings, lambda settings: settings.postscreen_greet_wait)
        self._command_times = _under_stress(settings, lambda settings: settings.postscreen_command_time_limit)
        self.stress = False
        self._clients: Counter[str] = Counter()
        self.checking = 0
        self._read_tests(settings)
        self._read_lists(context)
        self._read_blocklists(context, (logs("dnsblog"), self.log))
        inner = as_smtpd(settings)
        self.footer = RejectFooter(inner, context.seconds, context.log, context.tables)
        self.keywords = EhloKeywords(inner, context.tables)
        self.tls = ServerTls(inner, self.tls_log, None, context.reactor.seconds)
        proxied = settings.postscreen_upstream_proxy_protocol
        wait = settings.postscreen_upstream_proxy_timeout
        self.upstream = Upstream(wait, settings.inet_protocols, "time limit exceeded") if proxied else None
        self._cleaning: Any = None
        self._clean()

    def _read_tests(self, settings: Any) -> None:
        on = {
            Trial.PREGREET: bool(self.teaser),
            Trial.DNSBL: bool(settings.postscreen_dnsbl_sites),
            Trial.PIPELINING: settings.postscreen_pipelining_enable,
            Trial.NON_SMTP: settings.postscreen_non_smtp_command_enable,
            Trial.BARE_NEWLINE: settings.postscreen_bare_newline_enable,
        }
        self.wanted = frozenset(test for test in Trial if on[test])
        self.actions: dict[Trial, str] = {
            Trial.PREGREET: settings.postscreen_greet_action,
            Trial.DNSBL: settings.postscreen_dnsbl_action,
            Trial.PIPELINING: settings.postscreen_pipelining_action,
            Trial.NON_SMTP: settings.postscreen_non_smtp_command_action,
            Trial.BARE_NEWLINE: settings.postscreen_bare_newline_action,
        }
        self._lasting: dict[Trial, float] = {
            Trial.PREGREET: settings.postscreen_greet_ttl,
            Trial.PIPELINING: settings.postscreen_pipelining_ttl,
            Trial.NON_SMTP: settings.postscreen_non_smtp_command_ttl,
            Trial.BARE_NEWLINE: settings.postscreen_bare_newline_ttl,
        }
        self._least: float = settings.postscreen_dnsbl_min_ttl
        self._longest: float = settings.postscreen_dnsbl_max_ttl
        if self._longest < self._least:
            raise ConfigError("postscreen_dnsbl_max_ttl must not be less than postscreen_dnsbl_min_ttl")

    def _read_lists(self, context: Context) -> None:
        settings, tables = context.settings, context.tables
        parents = matches_subdomains(settings, "mynetworks")
        networks = AddressList(settings.mynetworks, context, "mynetworks", parents)
        self.access = AccessList(settings.postscreen_access_list, context, networks)
        title = "postscreen_allowlist_interfaces"
        self._interfaces = AddressList(settings.postscreen_allowlist_interfaces, context, title)
        title = "postscreen_forbidden_commands"
        self.forbidden = StringList(settings.postscreen_forbidden_commands, context, title)
        filters = settings.postscreen_command_filter
        self.command_filter = tables.maps(filters, "postscreen_command_filter") if filters else None

    def _read_blocklists(self, context: Context, logs: tuple[Any, Any]) -> None:
        settings = context.settings
        sites, timeout = settings.postscreen_dnsbl_sites, settings.postscreen_dnsbl_timeout
        delay = settings.dnsblog_reply_delay
        self.blocklists = Blocklists(sites, context.dns, context.reactor, logs, timeout, delay)
        self.threshold: int = settings.postscreen_dnsbl_threshold
        self.allow_threshold: int = settings.postscreen_dnsbl_allowlist_threshold
        names = settings.postscreen_dnsbl_reply_map
        self._site_names = context.tables.maps(names, "postscreen_dnsbl_reply_map") if names else None

    @property
    def greet_wait(self) -> float:
        return self._waits[self.stress]

    @property
    def command_time(self) -> float:
        return self._command_times[self.stress]

    def enter(self, address: str) -> int:
        """A client has come. :return: how many connections from there are in the screen now."""
        self.checking += 1
        if not self.stress and self.checking >= _STRESS * self.queue_limit:
            self.stress = True
            self.log.info(f"entering STRESS mode with {self.checking} connections")
        self._clients[address] += 1
        return self._clients[address]

    def leave(self, address: str) -> None:
        self.checking -= 1
        if self.stress and self.checking <= _CALM * self.queue_limit:
            self.stress = False
            self.log.info(f"leaving STRESS mode with {self.checking} connections")
        self._clients[address] -= 1
        if not self._clients[address]:
            del self._clients[address]

    async def stamps(self, address: str) -> Stamps:
        """What is remembered of a client."""
        return Stamps(self.wanted, await self.cache.find(address))

    async def earns_here(self, interface: str) -> bool:
        """Whether who passes the tests on this address of ours is remembered and let through."""
        try:
            return await self._interfaces.match("", interface)
        except TemporaryError:
            return False

    async def shown_site(self, domain: str) -> str:
        """The blocklist's name as clients are told it."""
        if self._site_names is None:
            return domain
        try:
            return await self._site_names.lookup(domain) or domain
        except TemporaryError:
            return "a blocklist"  # a name may hold a password

    def until(self, test: Trial, now: float, ttl: float | None = None) -> float:
        """When a test that was passed now has to be passed again. :param ttl: of the blocklists' answers."""
        if test is Trial.DNSBL:
            return now + min(max(ttl or 0, self._least), self._longest)
        return now + self._lasting[test]

    def _clean(self) -> None:
        now = self.seconds()

        def keep(text: str) -> bool:
            return Stamps(self.wanted, text).last + self._retention >= now

        self.cache.clean_if_due(now, self._cleanup, keep)
        if self._cleanup:
            self._cleaning = self.reactor.callLater(self._cleanup, self._clean)

    def close(self) -> None:
        if self._cleaning is not None:
            self._cleaning.cancel()
            self._cleaning = None


#: Makes the SMTP session of a client that passed.
HandOn = Callable[[Any, Any, tuple[str, str]], Awaitable[None]]


def _under_stress(settings: Any, value: Callable[[Any], float]) -> tuple[float, float]:
    """A time without and with stress."""
    return value(settings), value(settings.with_overrides({"stress": "yes"}))
