"""The two ways in which a daemon's process comes into being: alone, in an interpreter of its own, or with others in a nursery.

Both give a `Born`. Those from the nursery become children of this process when the nursery has ended (it is their reaper);
until then they cannot be waited for.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from mailer.master import prctl
from mailer.master.control import Channel, pair
from mailer.master.spawn import spawn

__all__ = ["Born", "Nursery", "alone"]

_CHILD = "mailer.master.child"
_NURSERY = "mailer.master.nursery"
_CONTROL = 3
_AGAIN = 0.02
#: The status of what has died with the nursery.
_UNBORN = 1


class Born:
    """``pid`` is 0 as long as it is not known."""

    pid = 0

    def kill(self, number: int) -> None:
        if self.pid:
            os.kill(self.pid, number)


def alone(
    reactor: Any, name: str, variables: Mapping[str, str], channel: socket.socket, ended: Callable[[int], None]
) -> Born:
    """:param channel: its end of the control channel. :param ended: given the status, see `spawn.Ending`. :raise OSError:"""
    born = Born()
    born.pid = spawn(reactor, _CHILD, [name], {_CONTROL: channel.fileno()}, variables, ended).pid
    return born


@implementer(IReadDescriptor)
class _Nursling(Born):
    """One from the nursery, watched by a pidfd."""

    def __init__(self, reactor: Any, ended: Callable[[int], None]) -> None:
        self._reactor = reactor
        self._ended = ended
        self._descriptor = -1

    def born(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)
        self._reactor.addReader(self)

    def unborn(self) -> None:
        self._ended(_UNBORN)

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "daemon"

    def connectionLost(self, reason: Any) -> None:
        """The reactor ends."""

    def doRead(self) -> None:
        """It has ended."""
        self._reactor.removeReader(self)
        self._reap()

    def _reap(self) -> None:
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pid, status = 0, 0
        if not pid:
            self._reactor.callLater(_AGAIN, self._reap)  # the nursery is still its parent
            return
        os.close(self._descriptor)
        self._descriptor = -1
        self._ended(os.waitstatus_to_exitcode(status))


class Nursery:
    """:param kinds: what is going to be born. :raise OSError:"""

    def __init__(self, reactor: Any, kinds: Iterable[str], variables: Mapping[str, str]) -> None:
        self._reactor = reactor
        self._expected: dict[int, _Nursling] = {}
        self._next = 0
        self._closing = False
        ours, theirs = pair()
        prctl.adopt_orphans(True)
        with theirs:
            arguments = sorted(set(kinds))
            spawn(reactor, _NURSERY, arguments, {_CONTROL: theirs.fileno()}, variables, self._ended)
        self._channel = Channel(ours, reactor, self._received, lambda why: None)

    def bear(self, channel: socket.socket, ended: Callable[[int], None]) -> Born:
        """As `alone`."""
        self._next += 1
        nursling = self._expected[self._next] = _Nursling(self._reactor, ended)
        self._channel.send("bear", [channel.fileno()], id=self._next)
        return nursling

    def close(self) -> None:
        """Nobody else is to be born."""
        self._closing = True
        self._perhaps_over()

    def _received(self, message: dict[str, Any], descriptors: list[int]) -> None:
        nursling = self._expected.pop(message["id"])
        nursling.born(message["pid"])
        self._perhaps_over()

    def _perhaps_over(self) -> None:
        if self._closing and not self._expected:
            self._channel.close()

    def _ended(self, status: int) -> None:
        self._channel.doRead()
        self._channel.close()
        prctl.adopt_orphans(False)
        expected, self._expected = self._expected, {}
        for nursling in expected.values():
            nursling.unborn()
