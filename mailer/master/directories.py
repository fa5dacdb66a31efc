"""The directories an instance needs (postconf(5): queue_directory, data_directory), made where they are missing."""

from __future__ import annotations

import os
from typing import Any

from mailer.receive.maildrop import corrupt_directory, maildrop_directory

__all__ = ["prepare"]

#: The maildrop: everybody may leave a file, nobody may look or touch another's. The reader trusts no file in it.
_DROP_BOX = 0o1733


def prepare(settings: Any) -> None:
    """:raise OSError: a directory is missing and cannot be made."""
    queue = settings.queue_directory
    _make(queue, 0o755)
    _make(os.path.join(queue, "public"), 0o755)
    _make(os.path.join(queue, "private"), 0o700)
    _make(os.path.join(queue, "mailer"), 0o711)
    _make(maildrop_directory(queue), _DROP_BOX)
    _make(corrupt_directory(queue), 0o700)
    _make(settings.data_directory, 0o755)


def _make(path: str, mode: int) -> None:
    if not os.path.isdir(path):
        os.makedirs(path)
        os.chmod(path, mode)  # whatever the umask says
