"""What the standard library and Twisted import when it is first needed: in a chroot that would be too late."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["preload", "report_late_imports"]

_LATE = (
    "_strptime",
    "encodings.ascii",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.punycode",
    "encodings.utf_8",
    "linecache",
    "queue",
    "stringprep",
    "traceback",
    "twisted.internet._producer_helpers",
    "twisted.internet.protocol",
    "twisted.internet.tcp",
    "twisted.internet.threads",
    "twisted.internet.unix",
    "twisted.python.failure",
    "twisted.python.threadable",
    "twisted.python.threadpool",
    "twisted._threads",
)


def preload() -> None:
    """Import it now, and let the C library read where this machine is on the globe."""
    for name in _LATE:
        if find_spec(name) is not None:
            import_module(name)
    time.tzset()
    time.localtime()


class _Late:
    """Stands before all finders, finds nothing, and says what was looked for."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        self._say(name)


def report_late_imports(say: Callable[[str], None]) -> None:
    """From now on ``say`` is told each module that is imported for the first time: with the rights that are left it may not be
    found."""
    sys.meta_path.insert(0, _Late(say))  # type: ignore[arg-type]
