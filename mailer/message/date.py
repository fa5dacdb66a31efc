"""Dates as message headers have them (RFC 5322 3.3), with the time zone's name as Postfix adds it."""

from __future__ import annotations

from typing import Any

__all__ = ["mail_date"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def mail_date(local: Any) -> str:
    """``Mon,  3 Jun 2024 10:00:00 +0200 (CEST)``, whatever the locale.

    :param local: a time.struct_time with its zone, as time.localtime gives it.
    """
    sign, offset = ("-", -local.tm_gmtoff) if local.tm_gmtoff < 0 else ("+", local.tm_gmtoff)
    hours, minutes = divmod(offset // 60, 60)
    return (
        f"{_DAYS[local.tm_wday]}, {local.tm_mday:2d} {_MONTHS[local.tm_mon - 1]} {local.tm_year:04d} "
        f"{local.tm_hour:02d}:{local.tm_min:02d}:{local.tm_sec:02d} {sign}{hours:02d}{minutes:02d} ({local.tm_zone})"
    )
