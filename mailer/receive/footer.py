"""smtpd_reject_footer: text behind each refusal, by which an administrator finds the session in the log."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from mailer.message.status import TemporaryError

__all__ = ["RejectFooter"]

_NAME = re.compile(r"\$(?:\{(\w+)\}|\((\w+)\)|(\w+)|(\$))")
_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _octet(match: re.Match[str]) -> str:
    text = match.group(1)
    return chr(int(text, 8)) if text[0] in "01234567" else _ESCAPES.get(text, text)


class RejectFooter:
    """Adds the footer to the lines of a reply.

    :param seconds: the clock, for ``$localtime``. :param log: ServiceLog.
    :param tables: ITables, for smtpd_reject_footer_maps. A reply waits for nobody, so these have to be tables that answer
        at once; one that does not is told, and the ordinary footer stands.
    """

    def __init__(self, settings: Any, seconds: Callable[[], float], log: Any, tables: Any) -> None:
        self._template: str = settings.smtpd_reject_footer
        maps = settings.smtpd_reject_footer_maps
        self._maps = tables.maps(maps, "smtpd_reject_footer_maps") if maps else None
        self._allowed = frozenset(_ESCAPE.sub(_octet, settings.smtpd_expansion_filter))
        self._hostname: str = settings.myhostname
        self._seconds = seconds
        self._log = log

    def __bool__(self) -> bool:
        return bool(self._template or self._maps)

    def add(self, lines: list[str], attributes: Mapping[str, str]) -> list[str]:
        """:param lines: of a 4xx or 5xx reply. :param attributes: what ``$name`` stands for, besides time and server."""
        known = {"localtime": self._local_time(), "server_name": self._hostname, **attributes}
        template = self._chosen(lines[0])
        if not template:
            return lines
        text = _NAME.sub(lambda match: self._value(match.group(match.lastindex or 0), known), template)
        if text.startswith("\\c"):
            first, *more = text[2:].split("\\n")
            lines = [*lines[:-1], lines[-1] + first]
        else:
            more = text.split("\\n")
        codes = re.match(r"\d{3} (?:\d\.\d{1,3}\.\d{1,3} )?", lines[-1])
        return lines + [f"{codes.group() if codes else ''}{line}" for line in more]

    def _chosen(self, reply: str) -> str:
        if self._maps is None:
            return self._template
        question = self._maps.lookup(reply)
        try:
            question.send(None)
        except StopIteration as answer:
            return str(answer.value or self._template)
        except TemporaryError:  # the table has logged it
            return self._template
        question.close()
        self._log.warning(f"{self._maps.name}: cannot be waited for; the ordinary footer stands")
        return self._template

    def _value(self, name: str, known: Mapping[str, str]) -> str:
        if name == "$":
            return name
        value = known.get(name)
        if value is None:
            self._log.warning(f'unknown macro name "{name}" in expansion request')
            return ""
        return "".join(character if character in self._allowed else "_" for character in value)

    def _local_time(self) -> str:
        return time.strftime("%b %e %H:%M:%S", time.localtime(self._seconds()))
