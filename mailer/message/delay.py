"""Delays as the log shows them (postconf(5), delay_logging_resolution_limit)."""

from __future__ import annotations

__all__ = ["shown_delay"]


def shown_delay(seconds: float, digits: int = 2) -> str:
    """A delay with two significant digits, whole seconds from 10 on, at most ``digits`` after the point.

    Half a unit is rounded up, zeros at the end are dropped, what is too small to show is 0.
    """
    micro = int(seconds * 1e6 + 0.5)
    if micro <= 0:
        return "0"
    if micro >= 10_000_000:
        return str((micro + 500_000) // 1_000_000)
    places = 1
    least = 1_000_000
    while micro < least and places < 6:
        least //= 10
        places += 1
    places = min(places, digits)
    unit = 10 ** (6 - places)
    whole, rest = divmod((micro + unit // 2) // unit * unit, 1_000_000)
    if not rest or not places:
        return str(whole)
    return f"{whole}.{rest // unit:0{places}d}".rstrip("0")
