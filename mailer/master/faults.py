"""Faults of the program itself in a daemon: a line in the mail log, where administrators look, and all on standard error."""

from __future__ import annotations

import sys
from typing import Any

from twisted.logger import LogLevel, eventAsText, globalLogBeginner

__all__ = ["report_to"]


def report_to(log: Any) -> None:
    """:param log: the ServiceLog of the process."""

    def observe(event: dict[str, Any]) -> None:
        if event.get("log_level", LogLevel.info) < LogLevel.warn:
            return
        text = eventAsText(event)
        print(text, file=sys.stderr, flush=True)
        lines = text.strip().splitlines()
        failure = event.get("log_failure")
        log.error(f"{lines[0]}: {failure.type.__name__}: {failure.getErrorMessage()}" if failure else lines[0])

    globalLogBeginner.beginLoggingTo([observe], redirectStandardIO=False, discardBuffer=True)
