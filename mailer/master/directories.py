"""The directories of an instance: made where they are missing, looked at, mended (postconf(5): queue_directory, data_directory).

What lies below ``$queue_directory/mailer`` and ``$data_directory`` is ours: with daemons that run as mail_owner it is given to
that account. The rest may be shared with a Postfix and is only looked at. A place where somebody else may write is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mailer.master.privileges import Owner
from mailer.receive.maildrop import corrupt_directory, maildrop_directory

__all__ = ["Finding", "Unsafe", "findings", "mend", "prepare", "private_directory"]

#: The maildrop: everybody may leave a file, nobody may look or touch another's. The reader trusts no file in it. Files get
#: the directory's group, so that a reader without root's rights can open them.
_DROP_BOX = 0o1733
_SHARED_DROP_BOX = 0o3733
#: A data directory that lies no deeper than this (/srv/data) may be somebody's whole disk: it is not given away unasked.
_SHALLOW = 2
_OTHERS_WRITE = 0o002
_GROUP_WRITES = 0o020


def private_directory(queue_directory: str) -> str:
    """Where the daemons find each other."""
    return os.path.join(queue_directory, "mailer", "private")


class Unsafe(Exception):
    """Somebody else may write where only this system must; the text has a line for each place."""


@dataclass(frozen=True)
class _Place:
    """A directory as it ought to be. ``ours`` is nobody else's. ``base``: see Finding."""

    path: str
    mode: int
    uid: int
    gid: int
    base: str
    ours: bool = True


@dataclass(frozen=True)
class Finding:
    """Something that is not as it ought to be, and how that is mended. ``unsafe``: nothing starts before it is; ``early``: it
    is mended at the start. ``base`` is a directory above it in which nobody else may write."""

    path: str
    text: str
    unsafe: bool
    mode: int | None
    uid: int
    gid: int
    base: str
    early: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


def _places(settings: Any, owner: Owner | None) -> list[_Place]:
    queue, data = settings.queue_directory, settings.data_directory
    me, mine = os.geteuid(), os.getegid()
    uid, gid = (owner.uid, owner.gid) if owner else (me, mine)
    inside = os.path.join(queue, "mailer")
    drop = _SHARED_DROP_BOX if owner else _DROP_BOX
    places = [
        _Place(queue, 0o755, me, mine, os.path.dirname(queue), ours=False),
        _Place(os.path.join(queue, "public"), 0o755, me, mine, queue, ours=False),
        _Place(os.path.join(queue, "private"), 0o700, uid, gid, queue, ours=False),
        _Place(inside, 0o711, uid, gid, queue),
        _Place(maildrop_directory(queue), drop, uid, owner.drop_gid if owner else mine, queue),
        _Place(corrupt_directory(queue), 0o700, uid, gid, queue),
        _Place(data, 0o700 if owner else 0o755, uid, gid, os.path.dirname(data), _dedicated(data, queue)),
    ]
    if owner:
        places += [
            _Place(os.path.join(inside, "content"), 0o700, uid, gid, queue),
            # The daemons may connect to each other there, but replace no socket.
            _Place(private_directory(queue), 0o710, me, gid, queue),
        ]
    return places


def _dedicated(data: str, queue: str) -> bool:
    """Whether a directory is nothing but the data directory of a mail system."""
    return data.count(os.sep) > _SHALLOW and not (queue + os.sep).startswith(data + os.sep)


def prepare(settings: Any, owner: Owner | None = None) -> None:
    """Make what is missing, and give our own to ``owner``, the account that daemons run as; None: everything is this
    process' own.

    :raise OSError: something is missing and cannot be made.
    :raise Unsafe:
    """
    _settle(findings(settings, owner, deep=False))
    for place in _places(settings, owner):
        if not os.path.isdir(place.path):
            os.makedirs(place.path)
            os.chmod(place.path, place.mode)  # whatever the umask says
            if owner:
                os.chown(place.path, place.uid, place.gid)
    _settle(findings(settings, owner))


def _settle(found: Iterable[Finding]) -> None:
    found = list(found)
    unsafe = [finding for finding in found if finding.unsafe]
    if unsafe:
        raise Unsafe("\n".join(map(str, unsafe)))
    mend(finding for finding in found if finding.early)


def findings(settings: Any, owner: Owner | None, deep: bool = True) -> Iterator[Finding]:
    """What is not as it ought to be, of what exists. :param deep: look at every file of the queue, if there is an owner."""
    queue = settings.queue_directory
    for place in _places(settings, owner):
        if place.ours or not os.path.islink(place.path):
            yield from _look(place, owner)
    inside = os.path.join(queue, "mailer")
    if owner and deep and os.path.isdir(inside):
        leave = {maildrop_directory(queue), private_directory(queue)}
        yield from _files(inside, owner, leave, {place.path for place in _places(settings, owner)}, queue)
    data = settings.data_directory
    if owner and deep and os.path.isdir(data) and _dedicated(data, queue):
        yield from _files(data, owner, set(), set(), os.path.dirname(data))


def _look(place: _Place, owner: Owner | None) -> Iterator[Finding]:
    try:
        status = os.lstat(place.path)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        yield Finding(place.path, "is no directory", True, None, place.uid, place.gid, place.base)
        return
    mode = stat.S_IMODE(status.st_mode)
    everybody = mode & _OTHERS_WRITE and not mode & stat.S_ISVTX and os.geteuid() == 0
    early = place.ours and owner is not None

    def found(text: str, unsafe: bool, early: bool) -> Finding:
        return Finding(place.path, text, unsafe, place.mode, place.uid, place.gid, place.base, early)

    if everybody:
        fresh = not os.listdir(place.path)  # nobody has left anything there yet
        yield found("everybody may write there", not fresh, fresh)
    elif owner and (other := _other_writer(status, place, owner)):
        yield found(other, True, False)
    elif place.ours and mode != place.mode and owner:
        yield found(f"mode is {mode:04o}, not {place.mode:04o}", False, early)
    elif early and (status.st_uid, status.st_gid) != (place.uid, place.gid):
        yield found(f"belongs to {status.st_uid}:{status.st_gid}, not to {place.uid}:{place.gid}", False, early)


def _other_writer(status: os.stat_result, place: _Place, owner: Owner) -> str:
    """Who else may write there, or an empty text."""
    if status.st_uid not in (0, os.geteuid(), owner.uid):
        return f"belongs to uid {status.st_uid}"
    groups = (0, os.getegid(), place.gid, owner.gid, owner.drop_gid)
    if status.st_mode & _GROUP_WRITES and status.st_gid not in groups and not status.st_mode & stat.S_ISVTX:
        return f"group {status.st_gid} may write there"
    return ""


def _files(directory: str, owner: Owner, leave: set[str], known: set[str], base: str) -> Iterator[Finding]:
    """Files and directories of the queue that belong to somebody else than the daemons."""
    with os.scandir(directory) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            if entry.path in leave or stat.S_ISLNK(status.st_mode) or stat.S_ISSOCK(status.st_mode):
                continue
            if status.st_uid != owner.uid and entry.path not in known:
                unsafe = status.st_uid not in (0, os.geteuid())
                text = f"belongs to uid {status.st_uid}, not to {owner.name}"
                yield Finding(entry.path, text, unsafe, None, owner.uid, owner.gid, base, early=not unsafe)
            if stat.S_ISDIR(status.st_mode):
                yield from _files(entry.path, owner, leave, known, base)


def mend(found: Iterable[Finding]) -> None:
    """Give files and directories the owner and mode that they ought to have.

    Whoever may write there may exchange names meanwhile: no link is followed, and no file is given away that has another name
    elsewhere.

    :raise OSError: :raise Unsafe:
    """
    for finding in found:
        descriptor = _opened(finding)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISDIR(status.st_mode) and not (stat.S_ISREG(status.st_mode) and status.st_nlink == 1):
                raise Unsafe(f"{finding.path}: is no plain file with one name")
            os.fchown(descriptor, finding.uid, finding.gid)
            if finding.mode is not None:
                os.fchmod(descriptor, finding.mode)  # after chown, which takes such bits away
        finally:
            os.close(descriptor)


def _opened(finding: Finding) -> int:
    """A descriptor of what is to be mended, reached from ``base`` on without following a link."""
    directory = os.open(finding.base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in os.path.relpath(finding.path, finding.base).split(os.sep):
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            following = os.open(part, flags, dir_fd=directory)
        finally:
            os.close(directory)
        directory = following
    return directory
