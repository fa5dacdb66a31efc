"""The security levels of a TLS client, in order of strength (TLS_README, "Client TLS security levels")."""

from __future__ import annotations

__all__ = ["LEVELS", "at_least", "matches_names", "must_match"]

#: fingerprint stands below verify because it says nothing about names.
LEVELS = ("none", "may", "encrypt", "fingerprint", "dane", "dane-only", "verify", "secure")


def at_least(level: str, other: str) -> bool:
    return LEVELS.index(level) >= LEVELS.index(other)


def must_match(level: str) -> bool:
    """Whether the server's certificate has to be one that is expected."""
    return at_least(level, "fingerprint")


def matches_names(level: str) -> bool:
    return level in ("verify", "secure")
