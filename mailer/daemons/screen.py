"""postscreen(8) with its helpers dnsblog(8) and tlsproxy(8): in front of an SMTP server in the same process.

Talks to clients, DNS, and the record of who passed (postscreen_cache_map), which it shares with other processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailer.config.errors import ConfigError
from mailer.daemons.parts import Common
from mailer.receive.screen.factory import ScreenFactory
from mailer.receive.screen.service import Screen
from mailer.receive.smtpd import SmtpdFactory
from mailer.tables.cache import Cache

if TYPE_CHECKING:
    from mailer.master.plan import Listener

__all__ = ["ScreenParts"]


class ScreenParts:
    """Makes the screens of one configuration."""

    def __init__(self, common: Common) -> None:
        self._common = common
        self._screens: list[Screen] = []
        self._caches: dict[str, Cache] = {}

    def before(self, listener: Listener, smtpd: SmtpdFactory) -> ScreenFactory:
        """:param listener: a postscreen line. :param smtpd: the server behind it. :raise ConfigError:"""
        service, settings = listener.service, listener.settings
        common, shared = self._common, self._common.shared
        context = common.context(service.name, "postscreen", settings)

        def log_of(program: str) -> Any:
            return shared.log.service(program, settings.syslog_name)

        spec = settings.postscreen_cache_map
        if spec not in self._caches:
            self._caches[spec] = Cache(spec, context, "postscreen_cache", shared=True)
        try:
            screen = Screen(context, log_of, self._caches[spec])
        except ConfigError as error:
            raise error.at(service.file, service.line) from error
        self._screens.append(screen)
        return ScreenFactory(screen, smtpd, shared.sweep)

    def close(self) -> None:
        for screen in self._screens:
            screen.close()
        for cache in self._caches.values():
            cache.close()
