"""How a main.cf parameter is declared: once, as data.

``postconf``, the checks at start, ``Settings`` and the documentation all read these declarations. The vocabulary of
kinds follows postconf(5): a time without a unit takes the parameter's own unit, a size is in bytes, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Kind", "Parameter"]


class Kind(Enum):
    """The type of a parameter's value, and so the Python type that Settings gives for it."""

    BOOLEAN = "boolean"  # yes/no, any case                        -> bool
    INTEGER = "integer"  # decimal                                 -> int
    TIME = "time"  # 1h, 5d, 30s; bare numbers take `unit`         -> float, seconds
    STRING = "string"  # $-expanded text                           -> str
    RAW = "raw"  # text in which $name is left for later           -> str
    LIST = "list"  # split at white space and commas, { } grouped  -> tuple[str, ...]
    TABLES = "tables"  # a LIST whose members are type:name        -> tuple[str, ...]
    CHOICE = "choice"  # one of `choices`                          -> str


@dataclass(frozen=True)
class Parameter:
    """One main.cf parameter.

    ``default`` is main.cf text and may contain ``$name``; ``unit`` (s, m, h, d, w) belongs to TIME; ``minimum`` and
    ``maximum`` (0: none) bound INTEGER and TIME (in seconds) and, for text of any kind, the number of characters;
    ``choices`` belongs to CHOICE.
    ``area`` groups parameters as postconf(5)'s readers would look for them.
    """

    name: str
    kind: Kind
    default: str
    summary: str
    area: str
    unit: str = "s"
    minimum: int | None = None
    maximum: int = 0
    choices: tuple[str, ...] = ()
    deprecated: bool = False
