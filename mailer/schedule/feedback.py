"""How much one delivery changes a destination's concurrency: ``*_destination_concurrency_{positive,negative}_feedback``.

SCHEDULER_README's g(N) and f(N): ``number``, ``number / number`` (constant), ``number / concurrency`` and
``number / sqrt_concurrency``, where number, and a constant's value, lie in 0..1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

__all__ = ["Feedback", "constant", "parse"]

#: The concurrency window -> the feedback for one delivery.
Feedback = Callable[[int], float]

_FORM = re.compile(
    r"\s*(\d+\.?\d*|\.\d+)\s*(?:/\s*(?:(\d+\.?\d*|\.\d+)|(concurrency)|(sqrt_concurrency))\s*)?", re.IGNORECASE
).fullmatch


def constant(value: float) -> Feedback:
    """The same feedback whatever the window."""
    return lambda window: value


def parse(text: str) -> Feedback:
    """:raise ValueError: malformed, or out of range."""
    found = _FORM(text)
    if found is None:
        raise ValueError(text)
    number, divisor, linear, root = found.groups()
    value = float(number)
    if divisor is not None:
        if not float(divisor):
            raise ValueError(text)
        value /= float(divisor)
    if value > 1:
        raise ValueError(text)
    if linear is not None:
        return lambda window: value / window
    if root is not None:
        return lambda window: value / math.sqrt(window)
    return constant(value)
