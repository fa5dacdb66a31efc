"""Mailboxes in the common spool directory: who may make them there.

A directory that all may write to needs nothing. One that belongs to a group (root:mail, mode 2775) is written to with that
group's help. In one that only root writes to, root makes the empty file and gives it to its user; nobody else could have put
anything in its place.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import replace
from typing import Any

from twisted.internet.threads import deferToThreadPool

from mailer.deliver.hands.identity import Identity

__all__ = ["Spool"]


class Spool:
    """:param directory: mail_spool_directory without a slash at its end."""

    def __init__(self, directory: str, reactor: Any) -> None:
        self._directory = directory
        self._reactor = reactor

    async def rights(self, user: str, identity: Identity) -> tuple[Identity, bool]:
        """With which rights a user's mailbox here is written, and whether it does without a dotlock if it has to."""
        if os.geteuid():
            return identity, False
        result: tuple[Identity, bool] = await deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), prepare, self._directory, user, identity
        )
        return result


def prepare(directory: str, user: str, identity: Identity) -> tuple[Identity, bool]:
    """Blocking; as root."""
    try:
        status = os.stat(directory)
    except OSError:
        return identity, False
    if status.st_mode & stat.S_IWOTH:
        return identity, False
    if status.st_mode & stat.S_IWGRP:
        groups = tuple(dict.fromkeys((*identity.groups, status.st_gid)))
        return replace(identity, groups=groups), False
    if status.st_uid == 0:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(os.path.join(directory, user), flags, 0o600)
            try:
                os.fchown(descriptor, identity.uid, identity.gid)
            finally:
                os.close(descriptor)
    return identity, True
