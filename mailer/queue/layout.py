"""Where the queue lies below $queue_directory, and whether a Postfix queue with mail in it lies beside it.

    $queue_directory/mailer/queue.sqlite    messages, recipients, small contents (and SQLite's -wal and -shm files)
    $queue_directory/mailer/queue.lock      locked by the server that owns the store
    $queue_directory/mailer/content/xx/QID  contents over 64 KiB, one file each; xx is a hash of the queue id

Everything belongs to the user the server runs as and is closed to others (0700, 0600).
"""

from __future__ import annotations

import os
from zlib import crc32

__all__ = ["Layout", "count_postfix_mail"]

_POSTFIX_QUEUES = ("incoming", "active", "deferred", "hold", "maildrop")
_COUNT_AT_MOST = 100_000


class Layout:
    """The paths of one store."""

    def __init__(self, queue_directory: str) -> None:
        self.queue_directory = queue_directory
        self.root = os.path.join(queue_directory, "mailer")
        self.database = os.path.join(self.root, "queue.sqlite")
        self.lock = os.path.join(self.root, "queue.lock")
        self.contents = os.path.join(self.root, "content")

    def content_directory(self, queue_id: str) -> str:
        return os.path.join(self.contents, f"{crc32(queue_id.encode('ascii')) & 0xFF:02x}")

    def content_file(self, queue_id: str) -> str:
        """The file of a content that does not fit into its row. ``queue_id`` is alphanumeric (message.queueid)."""
        return os.path.join(self.content_directory(queue_id), queue_id)

    def create(self) -> None:
        """Make the directories that do not exist yet. :raise OSError:"""
        os.makedirs(self.root, 0o700, exist_ok=True)
        os.makedirs(self.contents, 0o700, exist_ok=True)


def count_postfix_mail(queue_directory: str) -> int:
    """How many queue files Postfix left in the same directory (counted up to 100,000). May block."""
    found = 0
    for queue in _POSTFIX_QUEUES:
        for _, _, files in os.walk(os.path.join(queue_directory, queue)):
            found += len(files)
            if found >= _COUNT_AT_MOST:
                return _COUNT_AT_MOST
    return found
