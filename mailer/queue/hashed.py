"""The name that a queue file would have in Postfix: ``deferred/A/ABC123`` (hash_queue_names, hash_queue_depth)."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["queue_file_name"]

_BASE52 = {digit: value for value, digit in enumerate("0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz")}


def queue_file_name(queue: str, queue_id: str, hashed: Collection[str], depth: int) -> str:
    """Path of a queue file below the queue directory.

    :param hashed: the queues whose files are spread over subdirectories. :param depth: levels of those.
    """
    if queue not in hashed:
        return f"{queue}/{queue_id}"
    digits = _digits(queue_id)
    directories = "".join(f"{digits[level] if level < len(digits) else '_'}/" for level in range(depth))
    return f"{queue}/{directories}{queue_id}"


def _digits(queue_id: str) -> str:
    """What the directories are named after: the id itself, or a long id's microseconds as five hexadecimal digits."""
    if len(queue_id) >= 12 and "z" in queue_id[10:11]:
        microseconds = 0
        for digit in queue_id[6:10]:
            if digit not in _BASE52:
                return queue_id
            microseconds = microseconds * 52 + _BASE52[digit]
        return f"{microseconds:05X}"
    return queue_id
