"""smtpd_reject_footer: text behind each refusal, by which an administrator finds the session in the log."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["RejectFooter"]

_NAME = re.compile(r"\$(?:\{(\w+)\}|\((\w+)\)|(\w+))")
_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _octet(match: re.Match[str]) -> str:
    text = match.group(1)
    return chr(int(text, 8)) if text[0] in "01234567" else _ESCAPES.get(text, text)


class RejectFooter:
    """Adds the footer to the lines of a reply.

    :param seconds: the clock, for ``$localtime``. :param log: ServiceLog.
    """

    def __init__(self, settings: Any, seconds: Callable[[], float], log: Any) -> None:
        self._template: str = settings.smtpd_reject_footer
        self._allowed = frozenset(_ESCAPE.sub(_octet, settings.smtpd_expansion_filter))
        self._hostname: str = settings.myhostname
        self._seconds = seconds
        self._log = log

    def __bool__(self) -> bool:
        return bool(self._template)

    def add(self, lines: list[str], attributes: Mapping[str, str]) -> list[str]:
        """:param lines: of a 4xx or 5xx reply. :param attributes: what ``$name`` stands for, besides time and server."""
        known = {"localtime": self._local_time(), "server_name": self._hostname, **attributes}
        text = _NAME.sub(lambda match: self._value(match.group(match.lastindex or 0), known), self._template)
        if text.startswith("\\c"):
            first, *more = text[2:].split("\\n")
            lines = [*lines[:-1], lines[-1] + first]
        else:
            more = text.split("\\n")
        codes = re.match(r"\d{3} (?:\d\.\d{1,3}\.\d{1,3} )?", lines[-1])
        return lines + [f"{codes.group() if codes else ''}{line}" for line in more]

    def _value(self, name: str, known: Mapping[str, str]) -> str:
        value = known.get(name)
        if value is None:
            self._log.warning(f'unknown macro name "{name}" in expansion request')
            return ""
        return "".join(character if character in self._allowed else "_" for character in value)

    def _local_time(self) -> str:
        return time.strftime("%b %e %H:%M:%S", time.localtime(self._seconds()))
