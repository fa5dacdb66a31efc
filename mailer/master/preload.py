"""What the standard library and Twisted import when it is first needed: in a chroot that would be too late."""

from __future__ import annotations

import time
from importlib import import_module
from importlib.util import find_spec

__all__ = ["preload"]

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
