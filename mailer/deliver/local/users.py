"""The users of this system, asked for off the reactor: a name service may be a network away."""

from __future__ import annotations

import pwd
from dataclasses import dataclass
from typing import Any

from twisted.internet.threads import deferToThreadPool

from mailer.deliver.hands.identity import Identity
from mailer.message.status import TemporaryError

__all__ = ["User", "Users"]


@dataclass(frozen=True, slots=True)
class User:
    """An account. ``identity`` has the account's rights, without its secondary groups, as Postfix delivers."""

    name: str
    identity: Identity
    home: str
    shell: str


def _found(name: str) -> User | None:
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return None
    return User(entry.pw_name, Identity(entry.pw_uid, entry.pw_gid, (entry.pw_gid,)), entry.pw_dir, entry.pw_shell)


class Users:
    """Asks the password database."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    async def find(self, name: str) -> User | None:
        """:raise TemporaryError: cannot tell now."""
        if not name or "\0" in name:
            return None
        try:
            user: User | None = await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), _found, name)
        except OSError as error:
            raise TemporaryError(f"error looking up passwd info for {name}: {error.strerror}") from error
        return user
