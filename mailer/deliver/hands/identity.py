"""Under whose rights files are written, and how a process takes them on for good."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass

__all__ = ["Identity", "become", "identity_of", "unprivileged"]


@dataclass(frozen=True, slots=True)
class Identity:
    """``groups`` are the supplementary groups, ``root`` the root directory ("": this process' own)."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    root: str = ""


def identity_of(user: pwd.struct_passwd) -> Identity:
    """A user of this system with all groups he is in. Asks the group database: blocking."""
    return Identity(user.pw_uid, user.pw_gid, tuple(sorted(os.getgrouplist(user.pw_name, user.pw_gid))))


def unprivileged(identity: Identity, default: Identity) -> Identity:
    """What runs commands and writes to files that somebody names does so with rights, but never with root's: those of
    ``default`` (default_privs) take their place (local(8), DELIVERY RIGHTS)."""
    return identity if identity.uid else default


def become(identity: Identity) -> None:
    """Give up root's rights, for good; who writes root's own mailbox keeps them, without any other group's.

    :raise PermissionError: it did not work, or could be undone.
    """
    if identity.root:
        os.chroot(identity.root)
        os.chdir("/")
    os.setgroups(list(identity.groups) or [identity.gid])
    os.setresgid(identity.gid, identity.gid, identity.gid)
    if identity.uid == 0:
        return
    os.setresuid(identity.uid, identity.uid, identity.uid)
    if os.getresuid() != (identity.uid,) * 3 or os.getresgid() != (identity.gid,) * 3:
        raise PermissionError("rights were not given up")
    try:
        os.setuid(0)
    except PermissionError:
        return
    raise PermissionError("rights that were given up could be had again")
