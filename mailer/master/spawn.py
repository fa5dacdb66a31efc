"""Start a process with nothing but the descriptors and the environment that it is meant to have."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.protocol import ProcessProtocol

__all__ = ["Ending", "environment", "spawn"]

#: What Python itself needs to find the same modules, and what says how it behaves.
_PYTHON = "PYTHON"


class Ending(ProcessProtocol):
    """:param ended: told the exit status, or minus the signal that ended the process."""

    def __init__(self, ended: Callable[[int], None]) -> None:
        self._ended = ended

    def processEnded(self, reason: Any) -> None:
        status = reason.value
        self._ended(-status.signal if status.signal else status.exitCode or 0)


def environment(wanted: Iterable[str], own: Mapping[str, str] = os.environ) -> dict[str, str]:
    """:param wanted: import_environment: names of ours that are passed on, and settings ``name=value``."""
    passed = {name: value for name, value in own.items() if name.startswith(_PYTHON)}
    for item in wanted:
        name, equals, value = item.partition("=")
        if equals:
            passed[name] = value
        elif name in own:
            passed[name] = own[name]
    passed["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if os.path.isabs(path))
    # A time zone that is named is read once; without a name the C library looks for its file again and again.
    passed.setdefault("TZ", ":/etc/localtime")
    return passed


def spawn(
    reactor: Any,
    module: str,
    arguments: Sequence[str],
    descriptors: Mapping[int, int],
    variables: Mapping[str, str],
    ended: Callable[[int], None],
) -> Any:
    """:param descriptors: beyond 0 to 2, the number there -> ours.
    :param ended: see `Ending`.
    :return: IProcessTransport. :raise OSError:"""
    with open(os.devnull, "rb") as nothing:
        return reactor.spawnProcess(
            Ending(ended),
            sys.executable,
            [sys.executable, "-m", module, *arguments],
            env=dict(variables),
            path="/",
            childFDs={0: nothing.fileno(), 1: 1, 2: 2, **descriptors},
        )
