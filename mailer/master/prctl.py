"""What Linux lets a process give up beyond user and groups: prctl(2), capset(2), by ctypes.

Each function says whether the kernel did it; elsewhere than on Linux nothing is done. All of it belongs to the calling
thread and to threads that it starts afterwards, so a process does this before it has a second one.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

__all__ = [
    "adopt_orphans",
    "capabilities",
    "clear_bounding_set",
    "clear_capabilities",
    "die_with_parent",
    "forbid_new_privileges",
    "hide_memory",
    "set_name",
]

_SET_PDEATHSIG = 1
_SET_DUMPABLE = 4
_SET_NAME = 15
_CAPBSET_READ = 23
_CAPBSET_DROP = 24
_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVS = 38
_CAP_AMBIENT = 47
_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
#: In /proc/PID/stat, behind the name (proc(5)).
_ARG_START, _ARG_END = 45, 46
_MOST_CAPABILITIES = 64


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _prctl(option: int, *arguments: Any) -> int:
    """-1 where that is refused or unknown."""
    libc = _libc()
    if libc is None:
        return -1
    whole = [argument if isinstance(argument, bytes) else ctypes.c_ulong(argument) for argument in arguments]
    whole += [ctypes.c_ulong(0)] * (4 - len(whole))
    return libc.prctl(ctypes.c_int(option), *whole)


def forbid_new_privileges() -> bool:
    """No program that is started gets rights by its set-user-id bit or its file capabilities."""
    return _prctl(_SET_NO_NEW_PRIVS, 1) == 0


def clear_bounding_set() -> bool:
    """Nothing that is started later can have any capability again. Needs root."""
    done = True
    for number in range(_MOST_CAPABILITIES):
        if _prctl(_CAPBSET_READ, number) < 0:
            break
        done = _prctl(_CAPBSET_DROP, number) == 0 and done
    return done and _libc() is not None


def clear_capabilities() -> bool:
    """Give up every capability that is left."""
    libc = _libc()
    if libc is None or not hasattr(libc, "capset"):
        return False
    _prctl(_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    return libc.capset(header, nothing) == 0


def capabilities() -> int:
    """This process's effective capabilities, as a bit set. :raise OSError: the system does not tell."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    raise OSError("no capabilities in /proc/self/status")


def hide_memory() -> bool:
    """No process of the same user may trace this one or read its memory, and it leaves no core behind."""
    return _prctl(_SET_DUMPABLE, 0) == 0


def die_with_parent(signal: int) -> bool:
    """The kernel sends this signal when the process that started this one is gone. Forgotten when the user changes."""
    return _prctl(_SET_PDEATHSIG, signal) == 0


def adopt_orphans(adopt: bool) -> bool:
    """Whether processes whose parent ends become children of this one."""
    return _prctl(_SET_CHILD_SUBREAPER, int(adopt)) == 0


def set_name(name: str, title: str) -> bool:
    """:param name: what top(1) calls this process; 15 characters count. :param title: what ps(1) shows, as far as there is
    room in the memory of the command line."""
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return False
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    text = title.encode()[: end - start - 1]
    ctypes.memmove(start, text + bytes(end - start - len(text)), end - start)
    return _prctl(_SET_NAME, name.encode()) == 0
