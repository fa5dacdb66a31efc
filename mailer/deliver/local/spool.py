"""Mailboxes in the common spool directory: who may make them there.

A directory that all may write to needs nothing. One that belongs to a group (root:mail, mode 2775) is written to with that
group's help. In one that only root writes to, root makes the empty file and gives it to its user; nobody else could have put
anything in its place.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import Any

from twisted.internet.threads import deferToThreadPool

from mailer.deliver.hands.identity import Identity

__all__ = ["Spool"]


class Spool:
    """:param directory: mail_spool_directory without a slash at its end. :param hands: does what needs root's rights."""

    def __init__(self, directory: str, reactor: Any, hands: Any) -> None:
        self._directory = directory
        self._reactor = reactor
        self._hands = hands

    async def rights(self, user: str, identity: Identity) -> tuple[Identity, bool]:
        """With which rights a user's mailbox here is written, and whether it does without a dotlock if it has to.

        :raise MailError: the mailbox cannot be made now.
        """
        if not self._hands.becomes:
            return identity, False
        way, gid = await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), survey, self._directory)
        if way == "group":
            return replace(identity, groups=tuple(dict.fromkeys((*identity.groups, gid)))), False
        if way == "root" and identity.uid:
            await self._hands.make(os.path.join(self._directory, user), identity)
        return identity, way == "root"


def survey(directory: str) -> tuple[str, int]:
    """Who may make mailboxes in a directory: ``all``, the ``group`` whose id comes with it, or ``root``. Blocking."""
    try:
        status = os.stat(directory)
    except OSError:
        return "all", 0
    if status.st_mode & stat.S_IWOTH:
        return "all", 0
    if status.st_mode & stat.S_IWGRP:
        return "group", status.st_gid
    return ("root" if status.st_uid == 0 else "all"), 0
