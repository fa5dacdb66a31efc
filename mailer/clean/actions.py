"""What header_checks(5) and body_checks ask for: one action, carried out on one field or body line.

Some actions change the content (`Edited`), some note something on the envelope, some end all checks of the message. An
action that makes no sense is told in the log and does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailer.clean.passage import Discarded, Passage
from mailer.message.status import MailError, Reply

__all__ = ["UNCHANGED", "Edited", "Subject", "act"]

_STATUS = re.compile(r"([0-9]\.[0-9]{1,3}\.[0-9]{1,3})(?:[ \t]+|\Z)").match
_FIELD = re.compile(r"[!-9;-~]+[ \t]*:").match
_REJECTED = "message content rejected"


@dataclass(frozen=True, slots=True)
class Edited:
    """What stands in the content's place: ``before`` it (None: nothing), and instead of it (None: nothing)."""

    content: str | None
    before: str | None = None
    changed: bool = True


UNCHANGED = Edited("", changed=False)
_REMOVED = Edited(None)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is being checked. ``kind`` is ``header`` or ``body``, ``title`` the parameter that names the tables."""

    passage: Passage
    kind: str
    text: str
    title: str

    async def note(self, action: str, reason: str) -> None:
        await self.passage.note(action, self.kind, self.text, reason)

    def complain(self, text: str) -> Edited:
        self.passage.log.warning(text)
        return UNCHANGED


async def act(subject: Subject, value: str) -> Edited:
    """:param value: what the table says. :raise MailError: the message is refused. :raise Discarded:"""
    command, _, argument = value.strip().partition(" ")
    if "\t" in command:
        command, _, argument = value.strip().partition("\t")
    action = _ACTIONS.get(command.upper())
    if action is None:
        return subject.complain(f"unknown command in {subject.title} map: {value}")
    return await action(subject, argument.strip())


async def _nothing(subject: Subject, argument: str) -> Edited:
    return UNCHANGED


async def _reject(subject: Subject, argument: str) -> Edited:
    match = _STATUS(argument)
    status, text = (match[1], argument[match.end() :]) if match else ("5.7.1", argument)
    if status[0] not in "45":
        subject.complain(f"bad DSN action in {argument} -- need 4.x.x or 5.x.x")
        status = "4" + status[1:]
    text = text or _REJECTED
    await subject.note("reject", f"{status} {text}")
    raise MailError(Reply(451 if status[0] == "4" else 550, status, text))


async def _warn(subject: Subject, argument: str) -> Edited:
    await subject.note("warning", argument)
    return UNCHANGED


async def _info(subject: Subject, argument: str) -> Edited:
    await subject.note("info", argument)
    return UNCHANGED


async def _ignore(subject: Subject, argument: str) -> Edited:
    return _REMOVED


async def _strip(subject: Subject, argument: str) -> Edited:
    await subject.note("strip", argument)
    return _REMOVED


async def _pass(subject: Subject, argument: str) -> Edited:
    await subject.note("pass", argument)
    subject.passage.checks_ended = True
    return UNCHANGED


async def _discard(subject: Subject, argument: str) -> Edited:
    await subject.note("discard", argument)
    subject.passage.envelope.discard = argument or "discard"
    raise Discarded


async def _hold(subject: Subject, argument: str) -> Edited:
    if not subject.passage.envelope.hold:
        await subject.note("hold", argument)
    subject.passage.envelope.hold = argument or "hold"
    return UNCHANGED


async def _filter(subject: Subject, argument: str) -> Edited:
    if not argument:
        return subject.complain(f"missing FILTER command argument in {subject.title} map")
    if ":" not in argument:
        return subject.complain(f"bad FILTER command {argument} in {subject.title} -- need transport:destination")
    await subject.note("filter", argument)
    subject.passage.envelope.filter = argument
    return UNCHANGED


async def _redirect(subject: Subject, argument: str) -> Edited:
    if "@" not in argument:
        return subject.complain(f'bad REDIRECT target "{argument}" in {subject.title} map -- need user@domain')
    await subject.note("redirect", argument)
    subject.passage.envelope.redirect = argument
    subject.passage.checks_ended = True
    return UNCHANGED


async def _bcc(subject: Subject, argument: str) -> Edited:
    if "@" not in argument:
        return subject.complain(f'bad BCC address "{argument}" in {subject.title} map -- need user@domain')
    await subject.note("bcc", argument)
    subject.passage.envelope.bcc.append(argument)
    return UNCHANGED


def _sensible(subject: Subject, word: str, argument: str) -> bool:
    """Whether text may be put into the content."""
    if not argument:
        subject.complain(f"{word} action without text in {subject.title} map")
    elif subject.kind == "header" and not _FIELD(argument):
        subject.complain(
            f'bad {word} header text "{argument}" in {subject.title} map -- need "headername: headervalue"'
        )
    else:
        return True
    return False


async def _prepend(subject: Subject, argument: str) -> Edited:
    if not _sensible(subject, "PREPEND", argument):
        return UNCHANGED
    await subject.note("prepend", argument)
    return Edited(subject.text, before=argument)


async def _replace(subject: Subject, argument: str) -> Edited:
    if not _sensible(subject, "REPLACE", argument):
        return UNCHANGED
    await subject.note("replace", argument)
    return Edited(argument)


_ACTIONS: dict[str, Callable[[Subject, str], Awaitable[Edited]]] = {
    "BCC": _bcc,
    "DISCARD": _discard,
    "DUNNO": _nothing,
    "FILTER": _filter,
    "HOLD": _hold,
    "IGNORE": _ignore,
    "INFO": _info,
    "OK": _nothing,
    "PASS": _pass,
    "PREPEND": _prepend,
    "REDIRECT": _redirect,
    "REJECT": _reject,
    "REPLACE": _replace,
    "STRIP": _strip,
    "WARN": _warn,
}
