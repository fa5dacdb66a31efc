"""Queue ids in Postfix's two shapes, made without asking the disk.

Short ids are upper-case hexadecimal; long ones (enable_long_queue_ids) are Postfix's base 52 with its ``z`` between the
time and the serial part, so that log analysers accept both. The serial number takes the place of Postfix's inode number;
the maker starts from a random serial, and the processes of one instance count in lanes of their own, so that no two meet.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["LANES", "QueueIds", "is_queue_id"]

_BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_SAFE = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
#: Makers of ids that may work on one queue at the same time: processes of one instance.
LANES = 32
_SERIALS = 1 << 24  # a multiple of any number of lanes that is a power of two


def _base52(number: int, width: int) -> str:
    digits = []
    while number:
        number, digit = divmod(number, 52)
        digits.append(_BASE52[digit])
    return "".join(reversed(digits)).rjust(width, "0")


def is_queue_id(text: str) -> bool:
    """Whether text could name a queue entry (bounded, alphanumeric: safe in a file name)."""
    return 0 < len(text) <= 100 and _SAFE.issuperset(text)


class QueueIds:
    """Makes queue ids: ``next()`` gives one never given before by this process.

    :param seconds: the clock, seconds since the epoch as a float.
    :param serial: where to start counting (random at start).
    :param lane: which of ``lanes`` makers of one queue this is; two of different lanes never give the same id.
    """

    def __init__(
        self, seconds: Callable[[], float], serial: int, long: bool = False, lane: int = 0, lanes: int = 1
    ) -> None:
        self._seconds = seconds
        self._step = lanes
        self._serial = (serial - serial % lanes + lane) % _SERIALS
        self._make = self._long if long else self._short

    def next(self) -> str:
        self._serial = (self._serial + self._step) % _SERIALS
        return self._make(self._seconds(), self._serial)

    @staticmethod
    def _short(now: float, serial: int) -> str:
        # Five digits of microseconds as Postfix has them, then the serial; the seconds modulo 256 keep ids apart
        # when the serial comes round within the same microsecond of another second.
        seconds, fraction = divmod(now, 1)
        return f"{int(fraction * 1e6):05X}{int(seconds) & 0xFF:02X}{serial:06X}"

    @staticmethod
    def _long(now: float, serial: int) -> str:
        seconds, fraction = divmod(now, 1)
        return f"{_base52(int(seconds), 6)}{_base52(int(fraction * 1e6), 4)}z{_base52(serial, 5)}"
