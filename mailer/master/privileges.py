"""The rights that a daemon keeps, and how it gives up the others, for good, before it meets anything from the network.

Order matters: the chroot needs root, groups go before the user, capabilities that could come back go while there is still
the right to drop them. Nothing here can be undone, and the last step tries to.
"""

from __future__ import annotations

import grp
import os
import pwd
import resource
from dataclasses import dataclass, field
from typing import Any

from mailer.config.errors import ConfigError
from mailer.master import prctl

__all__ = ["Owner", "Privileges", "give_up", "owner_of"]

#: Resources that no daemon has a use for, Linux's names where others lack them.
_NOTHING = ("RLIMIT_CORE", "RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO")
_UMASK = 0o077


@dataclass(frozen=True)
class Owner:
    """mail_owner's account. ``groups`` are all that the account is a member of; ``drop_gid`` is setgid_group's."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    drop_gid: int


@dataclass(frozen=True)
class Privileges:
    """What is left: ``uid``, ``gid``, supplementary ``groups``, and the directory that becomes the root where ``chroot``
    is not empty."""

    uid: int
    gid: int
    groups: tuple[int, ...] = field(default=())
    chroot: str = ""

    def __post_init__(self) -> None:
        if self.uid == 0 or self.gid == 0 or 0 in self.groups:
            raise ValueError("root's rights are not given up by becoming root")


def owner_of(settings: Any) -> Owner:
    """The account that the daemons run as. Reads the user database, so it may block.

    :raise ConfigError: there is no such account or group, or it is root's.
    """
    name, group = settings.mail_owner, settings.setgid_group
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise ConfigError(f"mail_owner: no account is named {name}", "create one that owns nothing else") from None
    try:
        drop = grp.getgrnam(group)
    except KeyError:
        raise ConfigError(f"setgid_group: no group is named {group}", "create one without members") from None
    if user.pw_uid == 0 or user.pw_gid == 0:
        raise ConfigError(f"mail_owner: {name} has root's rights", "an account that owns nothing else")
    if drop.gr_gid == 0 or drop.gr_gid == user.pw_gid:
        raise ConfigError(f"setgid_group: {group} is the group of {name} or of root", "a group without members")
    groups = set(os.getgrouplist(name, user.pw_gid)) - {0}
    return Owner(name, user.pw_uid, user.pw_gid, tuple(sorted(groups)), drop.gr_gid)


def give_up(privileges: Privileges) -> list[str]:
    """Keep only ``privileges``. The process has one thread and is root.

    :return: what the kernel did not do of what is a second line of defence.
    :raise OSError: rights could not be given up, or could be had again.
    """
    refused = []
    for name in _NOTHING:
        limit = getattr(resource, name, None)
        if limit is not None:
            resource.setrlimit(limit, (0, 0))
    os.umask(_UMASK)
    if privileges.chroot:
        os.chroot(privileges.chroot)
        os.chdir("/")
    bounding = prctl.clear_bounding_set()
    os.setgroups(list(privileges.groups) or [privileges.gid])
    os.setresgid(privileges.gid, privileges.gid, privileges.gid)
    os.setresuid(privileges.uid, privileges.uid, privileges.uid)
    if not (prctl.clear_capabilities() and bounding):
        refused.append("capabilities")
    if not prctl.forbid_new_privileges():
        refused.append("no_new_privs")
    if not prctl.hide_memory():
        refused.append("dumpable")
    _verify(privileges)
    return refused


def _verify(privileges: Privileges) -> None:
    if os.getresuid() != (privileges.uid,) * 3 or os.getresgid() != (privileges.gid,) * 3:
        raise PermissionError("rights were not given up")
    for take_back in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0])):
        try:
            take_back()
        except PermissionError:
            continue
        raise PermissionError("rights that were given up could be had again")
