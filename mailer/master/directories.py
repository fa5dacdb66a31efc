"""The directories an instance needs (postconf(5): queue_directory, data_directory), made where they are missing."""

from __future__ import annotations

import os
from typing import Any

from mailer.receive.maildrop import corrupt_directory, maildrop_directory

__all__ = ["prepare"]

#: Below queue_directory: name and mode. Tools of other users reach the sockets in ``public``.
_QUEUE = (("public", 0o755), ("private", 0o700), ("mailer", 0o700))


def prepare(settings: Any) -> None:
    """:raise OSError: a directory is missing and cannot be made."""
    os.makedirs(settings.queue_directory, 0o755, exist_ok=True)
    for name, mode in _QUEUE:
        path = os.path.join(settings.queue_directory, name)
        if not os.path.isdir(path):
            os.mkdir(path, mode)
    for path in (maildrop_directory(settings.queue_directory), corrupt_directory(settings.queue_directory)):
        os.makedirs(path, 0o700, exist_ok=True)
    os.makedirs(settings.data_directory, 0o755, exist_ok=True)
