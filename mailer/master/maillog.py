"""Open the mail log as main.cf says (postconf(5): maillog_file, syslog_facility, syslog_name), and say where it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from mailer.config.errors import ConfigError
from mailer.log.destinations import FACILITIES, FileDestination, StreamDestination, SyslogDestination
from mailer.log.handed import HandedFile, HandedSyslog
from mailer.log.maillog import Destination, MailLog

__all__ = ["buffered", "destination", "handed", "kind_of"]

_SYSLOG_SOCKET = "/dev/log"


def destination(settings: Any, syslog_socket: str = _SYSLOG_SOCKET) -> tuple[Destination, str]:
    """:return: the destination, and a word on where lines go.

    Without a syslogd they go to standard error rather than nowhere.

    :raise ConfigError: the file is not allowed or cannot be opened, or the facility is unknown.
    """
    path = settings.maillog_file
    host = settings.myhostname.partition(".")[0]
    if path:
        if not any(path.startswith(prefix) for prefix in settings.maillog_file_prefixes):
            remedy = f"it has to start with one of: {', '.join(settings.maillog_file_prefixes)}"
            raise ConfigError(f"maillog_file: {path} is outside maillog_file_prefixes", remedy)
        if path == "/dev/stdout":
            return StreamDestination(sys.stdout.buffer, host), "standard output"
        try:
            return FileDestination(path, host, _mode(settings)), path
        except OSError as error:
            raise ConfigError(f"maillog_file: open {path}: {error.strerror}") from error
    facility = settings.syslog_facility
    if facility not in FACILITIES:
        raise ConfigError(f"syslog_facility: unknown facility {facility}", f"one of {', '.join(FACILITIES)}")
    if os.path.exists(syslog_socket):
        return SyslogDestination(facility, syslog_socket), f"syslog, facility {facility}"
    return StreamDestination(sys.stderr.buffer, host), "standard error, as no syslogd is running"


def _mode(settings: Any) -> int:
    text = settings.maillog_file_permissions
    try:
        return int(text, 8)
    except ValueError:
        raise ConfigError(f"maillog_file_permissions: {text} is no octal mode", "for example 0600") from None


def buffered(where: Destination, reactor: Any, seconds: Any, complain: Any) -> MailLog:
    """Lines to a destination, by the reactor's thread pool."""

    def defer(function: Any, done: Any) -> None:
        def finished(success: bool, result: Any) -> None:
            reactor.callFromThread(done, None if success else result.value)

        reactor.getThreadPool().callInThreadWithCallback(finished, function)

    return MailLog(where, seconds, os.getpid, reactor.callLater, defer, complain)


def handed(kind: str, descriptor: int, settings: Any, ask: Callable[[], None]) -> HandedFile | HandedSyslog:
    """The destination of a process that was given a descriptor, ``kind`` being what `kind_of` said where it was opened.

    :param ask: asks for another descriptor.
    """
    if kind == "syslog":
        return HandedSyslog(descriptor, settings.syslog_facility, ask)
    return HandedFile(descriptor, settings.myhostname.partition(".")[0])


def kind_of(where: Destination) -> str:
    """What its descriptor is."""
    return "syslog" if isinstance(where, SyslogDestination) else "file"
