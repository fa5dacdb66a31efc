"""Which layout runs: all in one process, or one root process and the rest with the least rights (parameter mailer_layout).

``auto`` takes processes where that can work: started as root, for a configuration directory that somebody named, with an
account for the daemons that can reach what they need. Where it cannot it says why, and what to change.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from typing import Any

from mailer.config.errors import ConfigError
from mailer.master.directories import findings
from mailer.master.prctl import capabilities
from mailer.master.privileges import Owner, owner_of

__all__ = ["Choice", "choose", "unreachable"]

#: What root does for the daemons, as capabilities(7) numbers it: a container may have taken some of them away.
_NEEDED = {"chown": 0, "fowner": 3, "kill": 5, "setgid": 6, "setuid": 7, "setpcap": 8, "sys_chroot": 18}


@dataclass(frozen=True)
class Choice:
    """``owner`` is the daemons' account in the processes layout, else None; ``warning`` is empty or to be told."""

    owner: Owner | None = None
    warning: str = ""

    @property
    def layout(self) -> str:
        return "processes" if self.owner else "single"


def choose(asked: str, settings: Any, embedded: bool = False, euid: int | None = None) -> Choice:
    """:param asked: auto, single or processes. :param embedded: nobody named a configuration.

    :raise ConfigError: processes were asked for and cannot be.
    """
    user = os.geteuid() if euid is None else euid
    if asked == "single" or (asked == "auto" and (embedded or user != 0)):
        return Choice()
    try:
        return Choice(_owner(settings, user))
    except ConfigError as error:
        if asked == "processes":
            raise ConfigError(f"mailer_layout = processes: {error.problem}", error.remedy) from error
        remedy = f" ({error.remedy})" if error.remedy else ""
        return Choice(
            warning=f"everything runs in one process as root: {error.problem}{remedy}; or set mailer_layout = single"
        )


def _owner(settings: Any, user: int) -> Owner:
    """:raise ConfigError: the layout cannot work, and why."""
    if user != 0:
        raise ConfigError("only root can start daemons that give up rights", "start as root")
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        raise ConfigError(f"daemons of their own are not supported on {sys.platform}")
    missing = _missing()
    if missing:
        raise ConfigError(f"root lacks the capabilities {', '.join(missing)}", "grant them")
    owner = owner_of(settings)
    closed = unreachable(settings.queue_directory, owner)
    if closed:
        raise ConfigError(f"queue_directory is below {closed}, which {owner.name} may not enter", f"chmod o+x {closed}")
    unsafe = [finding for finding in findings(settings, owner, deep=False) if finding.unsafe]
    if unsafe:
        raise ConfigError(str(unsafe[0]), "see mailer check --fix")
    return owner


def _missing() -> list[str]:
    try:
        held = capabilities()
    except OSError:
        return []  # without /proc there is nothing to be known beforehand
    return [name for name, number in _NEEDED.items() if not held >> number & 1]


def unreachable(path: str, owner: Owner) -> str:
    """The first directory on the way to ``path``, or the path itself if it is one, that the account may not enter."""
    parts = os.path.abspath(path).split(os.sep)
    for end in range(1, len(parts) + 1):
        place = os.sep.join(parts[:end]) or os.sep
        try:
            status = os.stat(place)
        except OSError:
            return ""  # what is not there yet is made so that it can be reached
        if status.st_uid == owner.uid:
            needed = stat.S_IXUSR
        elif status.st_gid in owner.groups:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if stat.S_ISDIR(status.st_mode) and not status.st_mode & needed:
            return place
    return ""
