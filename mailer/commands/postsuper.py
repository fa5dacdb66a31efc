"""postsuper(1): delete, hold, release, requeue, expire; tidy up. For the superuser, or the owner of the queue.

Differences from Postfix's: ``-s`` and ``-S`` check the structure of the store (there are no file names to repair), ``-p``
removes contents that belong to no message.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Collection
from functools import partial

from mailer.commands.queuetool import Fatal, Tool
from mailer.message.queueid import is_queue_id
from mailer.queue import surgery
from mailer.queue.direct import DirectQueue, NoQueue, Operation
from mailer.queue.schema import State

__all__ = ["main"]

_USAGE = (
    "postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f queue_id (expire and/or un-hold)]"
    " [-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)]"
    " [-s (structure fix)] [-S (redundant structure fix)][-v (verbose)] [queue...]"
)
_STATES = {state.word: state for state in State}
_QUEUES = {*_STATES, "defer", "bounce", "trace", "flush", "saved"}
_LIVE = (State.HOLD, State.INCOMING, State.ACTIVE, State.DEFERRED)
_ALL = "ALL"

#: Letter -> what it does: word for each message, its summary, which states, operation, requests to a running server.
_Deed = tuple[str, str, Collection[State], Operation, Collection[str]]


def _deeds() -> dict[str, _Deed]:
    now = time.time()
    release: Operation = partial(surgery.release, now=now)
    return {
        "d": ("removed", "Deleted", (*_LIVE, State.MAILDROP, State.CORRUPT), surgery.delete, ("deleted",)),
        "r": ("requeued", "Requeued", _LIVE, surgery.requeue, ("withdrawn", "requeue")),
        "e": ("expired", "Force-expired", _LIVE, surgery.expire, ()),
        "h": ("placed on hold", "Placed on hold", _LIVE, surgery.hold, ("withdrawn",)),
        "H": ("released from hold", "Released from hold", (State.HOLD,), release, ("due",)),
    }


#: The order of the summary lines.
_SUMMARIES = ("Requeued", "Deleted", "Force-expired", "Placed on hold", "Released from hold")
#: -f is both.
_PARTS = {"f": "eH"}


class _Surgeon:
    """Carries the options out, and counts.

    :param queue: None when there is no store yet. :param queues: those named on the command line.
    """

    def __init__(self, tool: Tool, queue: DirectQueue | None, queues: list[str]) -> None:
        self._tool = tool
        self._queue = queue
        self._queues = queues
        self._deeds = _deeds()
        self._counts: dict[str, int] = {}

    def operate(self, letter: str, argument: str) -> None:
        parts = _PARTS.get(letter, letter)
        for part in parts:
            self._counts.setdefault(self._deeds[part][1], 0)
        if argument == _ALL:
            for part in parts:
                self._operate_on_all(part)
        elif argument == "-":
            self._operate_on(parts, [line.strip() for line in sys.stdin])
        else:
            self._operate_on(parts, [argument])

    def _states(self, part: str) -> list[State]:
        states = self._deeds[part][2]
        if not self._queues:
            return [state for state in states if state is not State.CORRUPT]
        return [state for state in states if state.word in self._queues]

    def _operate_on_all(self, part: str) -> None:
        _, summary, _, operation, words = self._deeds[part]
        states = self._states(part)
        if self._queue is not None:
            for _ in self._queue.operate(operation, None, states, words):
                self._counts[summary] += 1
        if part == "d" and State.MAILDROP in states:
            for name in _maildrop_files(self._tool.maildrop):
                self._counts[summary] += self._drop(name)

    def _operate_on(self, parts: str, queue_ids: list[str]) -> None:
        """One by one and in order, as they are told; many at once when they come from standard input."""
        valid = []
        for queue_id in queue_ids:
            if is_queue_id(queue_id):
                valid.append(queue_id)
            else:
                for _ in parts:
                    self._tool.warn(f"invalid mail queue id: {queue_id}")
        if not valid:
            return
        done = [self._operated(part, valid) for part in parts]
        for queue_id in valid:
            for part, changed in zip(parts, done, strict=True):
                if queue_id in changed:
                    word, summary = self._deeds[part][:2]
                    changed.discard(queue_id)
                    self._counts[summary] += 1
                    self._tool.info(f"{queue_id}: {word}")

    def _operated(self, part: str, queue_ids: list[str]) -> set[str]:
        _, _, _, operation, words = self._deeds[part]
        states = self._states(part)
        changed: set[str] = set()
        if self._queue is not None:
            changed.update(self._queue.operate(operation, queue_ids, states, words))
        if part == "d" and State.MAILDROP in states:
            changed.update(queue_id for queue_id in queue_ids if queue_id not in changed and self._drop(queue_id))
        return changed

    def _drop(self, name: str) -> bool:
        """Remove a file from the maildrop."""
        try:
            os.unlink(os.path.join(self._tool.maildrop, name))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            self._tool.warn(f"remove {name}: {error.strerror}")
            return False
        return True

    def report(self) -> None:
        for summary in _SUMMARIES:
            count = self._counts.get(summary)
            if count is not None:
                self._tool.info(f"{summary}: {count} message{'s' if count != 1 else ''}")


def _maildrop_files(directory: str) -> list[str]:
    try:
        return [name for name in os.listdir(directory) if is_queue_id(name)]
    except OSError:
        return []


def main(argv: list[str] | None = None) -> int:
    """Console entry point. :return: the exit code."""
    tool = Tool("postsuper", _USAGE, 1)
    try:
        _run(tool, sys.argv[1:] if argv is None else argv)
    except Fatal as error:
        return tool.give_up(error)
    except (sqlite3.Error, OSError) as error:
        return tool.give_up(Fatal(str(error)))
    return 0


def _run(tool: Tool, arguments: list[str]) -> None:
    options, queues = tool.options(arguments, "c:d:e:f:h:H:pr:sSv")
    chosen = [argument for option, argument in options if option == "-c"]
    tool.configure(chosen[-1] if chosen else None)
    if not tool.owns_queue():
        raise Fatal("use of this command is reserved for the superuser")
    tool.open_log()
    for name in queues:
        if name not in _QUEUES:
            raise Fatal(f"invalid directory name: {name}")
    tool.become_owner()
    try:
        queue: DirectQueue | None = tool.open_queue()
    except NoQueue:
        queue = None
    letters = "".join(option[1] for option, _ in options if option not in ("-c", "-v")) or "sp"
    if queue is not None:
        _tidy(tool, queue, letters)
    surgeon = _Surgeon(tool, queue, queues)
    for option, argument in options:
        if option[1] in "dreHhf":
            surgeon.operate(option[1], argument)
    surgeon.report()
    if queue is not None:
        queue.close()


def _tidy(tool: Tool, queue: DirectQueue, letters: str) -> None:
    """-p, -s and -S come before everything else."""
    if "p" in letters:
        queue.tidy()
    if "s" in letters.lower():
        for finding in queue.check():
            tool.warn(f"queue structure: {finding}")
