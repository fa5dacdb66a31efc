"""One daemon process, as master sees it: from its birth over being ready and serving to its end."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from mailer.master.birth import Birth
from mailer.master.births import Born
from mailer.master.control import DESCRIPTORS, HUNG_UP, Channel, pair
from mailer.master.processplan import ProcessPlan

__all__ = ["Process", "Watcher"]

#: Seconds that a process which has hung up, or should have drained by now, is given before it is killed.
_GRACE = 3.0
#: Questions that may remain without an answer.
_PATIENCE = 6


class Watcher(Protocol):
    """Who is told what becomes of a process."""

    def ready(self, process: Process) -> None: ...

    def reloaded(self, process: Process, error: str) -> None: ...

    def asked(self, process: Process, message: dict[str, Any], descriptors: list[int]) -> None: ...

    def ended(self, process: Process, status: int) -> None: ...


class Process:
    """``state`` is starting, ready (waiting for its cue), serving, draining or ended. ``reason`` says what it complained of
    before it ended; ``broken`` which of its services it cannot serve, and why; ``account`` what it last said of itself.

    :param birth: without its descriptors, which are ``handed``, by name.
    :param start: starts the process, given its end of the channel and what to call at its end, see `births`.
    """

    def __init__(
        self,
        reactor: Any,
        plan: ProcessPlan,
        birth: Birth,
        handed: Mapping[str, int],
        start: Callable[[socket.socket, Callable[[int], None]], Born],
        watcher: Watcher,
    ) -> None:
        self.plan = plan
        self.state = "starting"
        self.reason = ""
        self.broken: dict[str, str] = {}
        self.account: dict[str, Any] = {}
        self.born = reactor.seconds()
        #: Whether it has served before it ended.
        self.served = False
        self._reactor = reactor
        self._watcher = watcher
        self._asking: list[Callable[[], None]] = []
        self._unanswered = 0
        self._deadline: Any = None
        self._over = False
        ours, theirs = pair()
        with theirs:
            self._born = start(theirs, self._has_ended)
        self._channel = Channel(ours, reactor, self._received, self._lost)
        self._bear(birth, handed)

    def _bear(self, birth: Birth, handed: Mapping[str, int]) -> None:
        names = list(handed)
        while len(names) > DESCRIPTORS:
            first, names = names[:DESCRIPTORS], names[DESCRIPTORS:]
            self._channel.send("sockets", [handed[name] for name in first], names=first)
        message = replace(birth, descriptors=names).message()
        self._channel.send("birth", [handed[name] for name in names], **message)

    def listen(self) -> None:
        """It may take connections."""
        if self.state == "ready":
            self.state = "serving"
            self._channel.send("listen")

    def drain(self, seconds: float) -> None:
        """It finishes what it has begun, and ends; it is killed a little later if it does not."""
        if self.state not in ("draining", "ended"):
            self.state = "draining"
            self.served = True
            self._channel.send("drain", seconds=seconds)
        if self.state == "draining":
            self._limit(seconds + _GRACE)

    def _limit(self, seconds: float) -> None:
        if self._deadline is not None and self._deadline.active():
            if self._deadline.getTime() <= self._reactor.seconds() + seconds:
                return
            self._deadline.cancel()
        self._deadline = self._reactor.callLater(seconds, self.kill)

    def reload(self, configuration: int, peers: dict[str, list[str]]) -> None:
        """Answered through ``Watcher.reloaded``. :param configuration: a descriptor, see `birth.written`."""
        self._channel.send("reload", [configuration], peers=peers)

    def renew_log(self, descriptor: int) -> None:
        self._channel.send("log", [descriptor])

    def answer(self, **values: Any) -> None:
        """To its request for a worker."""
        self._channel.send("worker", **values)

    def ask(self, answered: Callable[[], None]) -> None:
        """``answered`` is called, if ever, when ``account`` is new."""
        self._asking.append(answered)
        self._unanswered += 1
        self._channel.send("status")

    @property
    def hangs(self) -> bool:
        """Whether it has not answered for long."""
        return self._unanswered > _PATIENCE

    @property
    def pid(self) -> int:
        return self._born.pid

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self._over:
            return
        if self.pid:
            self._born.kill(number)
        else:
            self._channel.close()  # whoever is born without a master ends

    def _received(self, message: dict[str, Any], descriptors: list[int]) -> None:
        kind = message["type"]
        if kind in ("worker", "kill", "log"):
            self._watcher.asked(self, message, descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        if kind == "ready" and self.state == "starting":
            self.state = "ready"
            self.broken = _texts(message.get("broken"))
            self._watcher.ready(self)
        elif kind == "failed":
            self.reason = str(message.get("reason", ""))[:2000]
            if self.state != "starting":
                self._watcher.reloaded(self, self.reason)
        elif kind == "reloaded":
            self._watcher.reloaded(self, "")
        elif kind == "status" and isinstance(message.get("values"), dict):
            self.account = message["values"]
            self._unanswered = 0
            asking, self._asking = self._asking, []
            for answered in asking:
                answered()

    def _lost(self, why: str) -> None:
        if why == HUNG_UP:
            self._limit(_GRACE)
        else:
            self.reason = self.reason or why
            self.kill()

    def _has_ended(self, status: int) -> None:
        self._over = True
        self._channel.doRead()  # its last words
        self._channel.close()
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self.served = self.served or self.state == "serving"
        self.state = "ended"
        self._watcher.ended(self, status)


def _texts(values: Any) -> dict[str, str]:
    """What a process says of itself is data, not to be trusted."""
    return {str(name)[:200]: str(value)[:500] for name, value in values.items()} if isinstance(values, dict) else {}
