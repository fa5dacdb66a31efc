"""The actions of smtp_header_checks and its kin (postconf(5); header_checks(5) has more): those that change or remark, and none
that would decide about a message that has been accepted long ago."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Edited", "Remarks", "act"]

_FIELD = re.compile(r"[!-9;-~]+[ \t]*:").match
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Edited:
    """What stands in the content's place: ``before`` it, and instead of it (None: nothing)."""

    content: str | None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Remarks:
    """What is being checked, for the log: ``kind`` is ``header`` or ``body``, ``title`` the parameter that names the tables."""

    log: Any
    queue_id: str
    kind: str
    title: str

    def note(self, action: str, content: str, reason: str) -> None:
        self.log.info(f"{self.queue_id}: {action}: {self.kind} {content[:_SHOWN]}{': ' + reason if reason else ''}")


def act(remarks: Remarks, text: str, value: str) -> Edited | None:
    """:param text: the field or line. :param value: what the table says. :return: None if nothing changes."""
    command, _, argument = value.strip().replace("\t", " ", 1).partition(" ")
    command, argument = command.upper(), argument.strip()
    if command in ("WARN", "INFO"):
        remarks.note("warning" if command == "WARN" else "info", text, argument)
    elif command == "STRIP":
        remarks.note("strip", text, argument)
        return Edited(None)
    elif command == "IGNORE":
        return Edited(None)
    elif command in ("REPLACE", "PREPEND"):
        return _put(remarks, command, text, argument)
    elif command not in ("DUNNO", "OK"):
        remarks.log.warning(f"unsupported command in {remarks.title} map: {value}")
    return None


def _put(remarks: Remarks, command: str, text: str, argument: str) -> Edited | None:
    if not argument:
        remarks.log.warning(f"{command} action without text in {remarks.title} map")
        return None
    if remarks.kind == "header" and not _FIELD(argument):
        remarks.log.warning(
            f'bad {command} header text "{argument}" in {remarks.title} map -- need "headername: headervalue"'
        )
        return None
    remarks.note(command.lower(), text, argument)
    return Edited(argument) if command == "REPLACE" else Edited(text, argument)
