"""``type:name``, as main.cf and command lines write it."""

from __future__ import annotations

__all__ = ["split_spec"]


def split_spec(spec: str) -> tuple[str, str] | None:
    """``type, name``, or None when either is missing."""
    type, colon, name = spec.partition(":")
    return (type, name) if type and colon and name else None
