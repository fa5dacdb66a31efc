"""What postmap(1) writes to standard output: in pieces of 4096 octets and the rest at the end, as Postfix does. A command
that ends with a failure leaves out what it had not written yet; scripts see the same either way."""

from __future__ import annotations

import sys

__all__ = ["Output"]

_PIECE = 4096


class Output:
    """A buffer before standard output."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> None:
        self._waiting += data
        whole = len(self._waiting) - len(self._waiting) % _PIECE
        if whole:
            sys.stdout.buffer.write(self._waiting[:whole])
            sys.stdout.buffer.flush()
            del self._waiting[:whole]

    def finish(self) -> None:
        sys.stdout.buffer.write(self._waiting)
        sys.stdout.buffer.flush()
        self._waiting.clear()
