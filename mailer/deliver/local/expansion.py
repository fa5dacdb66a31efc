"""Aliases, forwarding files and lists: what a local recipient comes to (local(8), aliases(5)).

An alias' local members are delivered at once; members of lists (``:include:``), of aliases with an owner and of forwarding
files become a new message (`forwarding`), except that a user who names himself gets his mail in his mailbox.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import Any

from mailer.deliver.hands.hands import FileText
from mailer.deliver.hands.identity import Identity
from mailer.deliver.local.aliases import Alias, Aliases, rights_of
from mailer.deliver.local.commands import Commands
from mailer.deliver.local.destinations import Destination, destinations, lines
from mailer.deliver.local.mailboxes import Mailboxes
from mailer.deliver.local.names import expanded
from mailer.deliver.local.run import Run
from mailer.deliver.local.settings import LocalSettings
from mailer.deliver.local.step import Step
from mailer.deliver.local.users import User
from mailer.message.address import fold, split
from mailer.message.status import TemporaryError

__all__ = ["MISCONFIGURED", "Expansion"]

MISCONFIGURED = "mail system configuration error"
#: Deeper nesting is a loop.
_DEEPEST = 100


class Expansion:
    """:param recipient: coroutine function ``(run, step)`` that delivers to a local address.
    :param name: the transport's, to tell local addresses from others."""

    def __init__(
        self,
        settings: LocalSettings,
        aliases: Aliases,
        addressing: Any,
        hands: Any,
        parts: tuple[Commands, Mailboxes],
        recipient: Any,
        name: str,
        log: Any,
    ) -> None:
        self._settings = settings
        self._aliases = aliases
        self._addressing = addressing
        self._hands = hands
        self._commands, self._mailboxes = parts
        self._recipient = recipient
        self._name = name
        self._log = log

    # -- aliases

    async def alias(self, run: Run, step: Step, name: str, unmatched: str) -> bool:
        """Deliver to an alias' members. :param unmatched: the extension that ``name`` leaves out.
        :return: whether there is such an alias."""
        if step.source == name:
            return False
        try:
            found = await self._aliases.find(name)
            owner = await self._owner(name) if found is not None else None
        except TemporaryError:
            run.failed(step.address, "4.3.0", "alias database unavailable")
            return True
        if found is None:
            return False
        if step.level > _DEEPEST:
            self._log.warning(f"alias database loop for {name}")
            run.failed(step.address, "5.4.6", f"alias database loop for {name}")
            return True
        if run.verification:
            run.would(step.address, f"aliased to {found.value}")
            return True
        run.expanded = run.expanded or ("delivered" if owner else "expanded")
        await self._members(run, self._inside(step, name, found, owner), found, unmatched)
        return True

    async def _owner(self, name: str) -> str | None:
        """Who takes an alias' failures instead of the sender, None if there is no such alias as ``owner-name``."""
        if not self._settings.owner_special or name.startswith("owner-"):
            return None
        found = await self._aliases.find(f"owner-{name}")
        if found is None:
            return None
        owner = f"owner-{name}"
        if self._settings.expand_owner:
            members = [member.text for member in destinations(found.value) if member.kind == "address"]
            owner = members[0] if members else owner
        rewritten: str = await self._addressing.rewrite(owner, "local")
        return rewritten

    def _inside(self, step: Step, name: str, found: Alias, owner: str | None) -> Step:
        return replace(
            step,
            level=step.level + 1,
            expansion="alias" if step.expansion in ("", "alias") else step.expansion,
            source=name,
            user=None,
            rights=found.rights or self._settings.default_rights,
            owner=owner or ("" if self._settings.reset_owner else step.owner),
        )

    async def _members(self, run: Run, step: Step, found: Alias, unmatched: str) -> None:
        members = list(destinations(found.value))
        if not members:
            self._log.warning(f"no recipient in alias lookup result for {step.source}")
            run.failed(step.address, "5.3.5", MISCONFIGURED)
        for member in members:
            await self._member(run, step, member, unmatched if "alias" in self._settings.propagate else "")

    # -- forwarding files

    async def forward(self, run: Run, step: Step, user: User, unmatched: str) -> bool:
        """Deliver as the user's forwarding file says. :return: whether it says anything."""
        names = step.names(self._settings.delimiters, self._settings.owner_special, user)
        for pattern in self._settings.forward_path:
            path, complete = expanded(pattern, names, self._settings.forward_filter)
            if not complete or not os.path.isabs(path):
                continue
            found = await self._hands.read(user.identity, path)
            if found.errno in _ABSENT:
                continue
            members = self._forward_members(user, path, found)
            if not members:
                return False
            if run.again("forward", path):
                # Either the file names its user, whose mailbox that means, or all that it says has been done before.
                return run.known("forward done", path)
            if run.verification:
                run.would(step.address, f"forward via file: {path}")
                return True
            run.expanded = run.expanded or "expanded"
            # The extension is spent on a file that names it.
            left = unmatched if "forward" in self._settings.propagate and unmatched[1:] not in path else ""
            inside = replace(
                step, level=step.level + 1, expansion="forward", source=user.name, user=user, rights=user.identity
            )
            for member in members:
                await self._member(run, inside, member, left)
            run.again("forward done", path)
            return True
        return False

    def _forward_members(self, user: User, path: str, found: FileText) -> list[Destination]:
        problem = _distrust(found, (0, user.identity.uid))
        if found.errno:
            self._log.warning(f"cannot open file {path}: {os.strerror(found.errno)}")
        elif problem:
            self._log.warning(f"file {path} {problem}")
        else:
            return [member for line in lines(found.text, self._settings.longest_line) for member in destinations(line)]
        return []

    # -- members of any of these

    async def _member(self, run: Run, step: Step, member: Destination, unmatched: str) -> None:
        if member.kind == "command":
            await self._command(run, step, member.text)
        elif member.kind == "file":
            await self._file(run, step, member.text)
        elif member.kind == "include":
            await self._include(run, step, member.text)
        else:
            await self._address(run, step, member, unmatched)

    async def _command(self, run: Run, step: Step, command: str) -> None:
        if step.expansion not in self._settings.allow_commands:
            run.failed(step.address, "5.7.1", "mail to command is restricted")
        else:
            await self._commands.deliver(run, step, step.user, step.rights, command)

    async def _file(self, run: Run, step: Step, path: str) -> None:
        if step.expansion not in self._settings.allow_files:
            run.failed(step.address, "5.7.1", "mail to file is restricted")
        else:
            await self._mailboxes.file(run, step, self._rights(step), path)

    async def _include(self, run: Run, step: Step, path: str) -> None:
        """A list in a file, in the rights of whoever it belongs to."""
        if run.again("include", self._rights(step).uid, path):
            return
        if not os.path.isabs(path):
            problem = f":include:{path} uses a relative path"
            found = FileText()
        else:
            found = await self._hands.read(self._rights(step), path)
            distrust = _distrust(found, None)
            problem = f":include: file {path} {distrust}" if distrust else ""
            if found.errno:
                problem = f"unable to lookup :include: file {path}: {os.strerror(found.errno)}"
        if not problem and step.level > _DEEPEST:
            problem = f":include: file {path} is nested too deeply"
        if problem:
            self._log.warning(problem)
            run.failed(step.address, "5.3.5", MISCONFIGURED)
            return
        rights = rights_of(found.uid) if found.uid and step.user is None else self._rights(step)
        inside = replace(step, level=step.level + 1, expansion="include", rights=rights)
        for line in lines(found.text, self._settings.longest_line):
            for member in destinations(line):
                await self._member(run, inside, member, "")

    def _rights(self, step: Step) -> Identity:
        return step.rights or self._settings.default_rights

    async def _address(self, run: Run, step: Step, member: Destination, unmatched: str) -> None:
        text = member.text or self._settings.empty_address
        if unmatched and member.kind == "address":
            local, domain = split(text)
            text = f"{local}{unmatched}@{domain}" if "@" in text else local + unmatched
        try:
            address = await self._addressing.rewrite(text, "local")
            way = await self._addressing.resolve(step.owner or run.request.envelope.sender, address)
        except TemporaryError as error:
            run.failed(step.address, error.reply.enhanced, error.reply.text)
            return
        ours = way.transport == self._name
        own = ours and step.user is not None and self._names(address, step.user)
        if ours and (member.kind == "user" or own or (step.expansion == "alias" and not step.owner)):
            await self._recipient(run, replace(step, address=address, direct=member.kind == "user"))
        else:
            addresses = run.forwards.setdefault(step.owner, [])
            if not run.again("forwarded", step.owner, fold(address)):
                addresses.append(address)

    def _names(self, address: str, user: User) -> bool:
        """Whether an address is a user's own."""
        names = Step(address).names(self._settings.delimiters, self._settings.owner_special)
        return names.user == fold(user.name)


_ABSENT = frozenset((2, 20))  # ENOENT, ENOTDIR


def _distrust(found: FileText, owners: tuple[int, ...] | None) -> str:
    """Why a file that names destinations is not used, or "". :param owners: whose it may be, None: anybody's."""
    if found.errno:
        return ""
    if not stat.S_ISREG(found.mode):
        return "is not a regular file"
    if owners is not None and found.uid not in owners:
        return f"has bad owner uid {found.uid}"
    if found.mode & stat.S_IWOTH:
        return "is world writable"
    if found.length > len(found.text):
        return f"is too long ({found.length} bytes)"
    return ""
