"""Worker processes under other users' rights, started for a daemon that has none itself (see mailer.deliver.hands).

The daemon names a user; what is refused is root's group, and groups that the user is not in, except that of the mail spool.
One that stays root can do no more than `Limits` say, which are main.cf's and not the daemon's. The worker is given its
ends of the daemon's socket pairs and talks to nobody else, least of all to master.
"""

from __future__ import annotations

import os
import pwd
import signal
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.threads import deferToThreadPool

from mailer.config.values import split_list
from mailer.deliver.hands.limits import Limits
from mailer.master.spawn import spawn

__all__ = ["Refused", "Workers", "allowed"]

_MODULE = "mailer.deliver.hands.worker"
_FIRST = 3
#: Workers that one daemon has at a time; it asks for 50 at most.
_MOST = 64


class Refused(Exception):
    """A request that no honest daemon makes."""


def allowed(uid: Any, gid: Any, groups: Any, spool: str) -> tuple[int, int, list[int]]:
    """The ids that a worker may take on. Reads the user database, so it may block.

    :param spool: mail_spool_directory: a group that may write to it may help anybody to his mailbox.
    :raise Refused:
    """
    if not all(type(number) is int and number >= 0 for number in (uid, gid)) or not isinstance(groups, list):
        raise Refused("ids that are none")
    if gid == 0 and uid:
        raise Refused("nothing is delivered in root's group")
    wanted = {number for number in groups if type(number) is int and number > 0}
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        member_of = set()
    else:
        member_of = set(os.getgrouplist(user.pw_name, user.pw_gid))
    if wanted - member_of - {gid, _spool_group(spool)}:
        raise Refused(f"uid {uid} is not in all of the groups {sorted(wanted)}")
    return uid, gid, sorted(wanted)


def _spool_group(directory: str) -> int:
    try:
        status = os.stat(directory)
    except OSError:
        return -1
    return status.st_gid if status.st_mode & stat.S_IWGRP else -1


def root_limits(settings: Any) -> Limits:
    """What may be done for root's own mail (local(8)). Reads the user database, so it may block."""
    try:
        root = pwd.getpwuid(0)
    except KeyError:
        return Limits()
    spool, home = settings.mail_spool_directory, root.pw_dir
    mailboxes = [f"{spool}{root.pw_name}/" if spool.endswith("/") else f"{spool}/{root.pw_name}"]
    if settings.home_mailbox:
        mailboxes.append(f"{home}/{settings.home_mailbox}")
    readable = []
    for pattern in split_list(settings.forward_path):
        for name, value in (("home", home), ("user", root.pw_name)):
            pattern = pattern.replace(f"${{{name}}}", value).replace(f"${name}", value)
        path = pattern.partition("$")[0]
        if path.startswith("/") and not path.endswith("/"):
            readable.append(path)
    return Limits(tuple(mailboxes), tuple(readable), spool, home)


class Workers:
    """:param variables: the workers' environment. :param settings: main.cf's."""

    def __init__(self, reactor: Any, log: Any, variables: Mapping[str, str], settings: Any) -> None:
        self._spool = settings.mail_spool_directory
        self._limits = root_limits(settings).as_text()
        self._reactor = reactor
        self._log = log
        self._variables = dict(variables)
        self._running: dict[int, Any] = {}  # pid -> the daemon that it was started for

    @property
    def count(self) -> int:
        return len(self._running)

    def asked(self, process: Any, message: dict[str, Any], descriptors: list[int]) -> None:
        """A daemon wants a worker; the descriptors are the worker's ends, to be closed here."""

        def close(result: Any) -> None:
            for descriptor in descriptors:
                os.close(descriptor)
            if result is not None:
                number = message.get("id")
                self._log.warning(f"{process.plan.name}: worker process: {result.getErrorMessage()}")
                process.answer(id=number, error=result.getErrorMessage()[:200])

        pool = self._reactor.getThreadPool()
        asked = deferToThreadPool(
            self._reactor, pool, allowed, message.get("uid"), message.get("gid"), message.get("groups"), self._spool
        )
        asked.addCallback(self._start, process, message.get("id"), descriptors).addBoth(close)

    def _start(self, ids: tuple[int, int, list[int]], process: Any, number: Any, descriptors: Sequence[int]) -> None:
        if len(self._running) >= _MOST or not descriptors:
            raise Refused("too many workers" if descriptors else "nothing to do")
        uid, gid, groups = ids
        numbers = range(_FIRST, _FIRST + len(descriptors))
        limits = "" if uid else self._limits
        arguments = [str(uid), str(gid), ",".join(map(str, groups)), "", limits, *map(str, numbers)]
        pid = 0

        def ended(_: int) -> None:
            self._running.pop(pid, None)

        transport = spawn(
            self._reactor, _MODULE, arguments, dict(zip(numbers, descriptors, strict=True)), self._variables, ended
        )
        pid = transport.pid
        self._running[pid] = process
        process.answer(id=number, pid=pid)

    def kill(self, process: Any, pid: Any) -> None:
        """One that hangs, at the request of the daemon that it works for."""
        if self._running.get(pid) is process:
            os.kill(pid, signal.SIGKILL)
