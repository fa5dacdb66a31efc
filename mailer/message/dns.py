"""A DNS answer, reduced to what mail needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """``records`` is empty for NODATA and NXDOMAIN alike; ``exists`` tells them apart. ``ttl`` is in seconds. ``filtered``: there
    were records, and a DNS reply filter has removed them all. ``name``: what the name asked for is an alias of, if it is one."""

    records: tuple[Any, ...] = ()
    exists: bool = True
    secure: bool = False
    ttl: float = 0.0
    filtered: bool = False
    name: str = ""
