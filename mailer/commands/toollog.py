"""What a command complains about goes to the mail log as well, where the administrator looks; postlog(1), syslog_name.

The log is for information: a user who may not write to it, or a configuration that does not say where it is, is no reason
for a command to fail.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

from mailer.config.errors import ConfigError
from mailer.log.destinations import StreamDestination
from mailer.log.maillog import MailLog, ServiceLog
from mailer.master.maillog import destination

__all__ = ["note", "tool_log"]


def tool_log(settings: Any, program: str) -> ServiceLog | None:
    """The log that ``program``'s lines go to; None where the terminal is the log, which has seen them already.

    :raise ConfigError: it cannot be opened.
    """
    where, _ = destination(settings)
    if type(where) is StreamDestination:
        return None
    return ServiceLog(MailLog(where, time.time, os.getpid), f"{settings.syslog_name}/{program}[{os.getpid()}]")


def note(settings: Any, program: str, severity: str, text: str) -> None:
    """One line, if it can be written.

    :param settings: None where the configuration cannot be read. :param severity: a method of ServiceLog.
    """
    if settings is None:
        return
    with contextlib.suppress(ConfigError, OSError):
        log = tool_log(settings, program)
        if log is not None:
            getattr(log, severity)(text)
