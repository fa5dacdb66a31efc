"""What smtpd_tls_loglevel and its sisters ask to be logged: a number from 0 to 4 or a word for it (TLS_README)."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["TlsLogging"]

_WORDS = {"none": 0, "routine": 1, "debug": 2, "ssl-expert": 3, "ssl-developer": 4}


class TlsLogging:
    """``summary``: a line for each connection. ``peer``: its certificate. ``trace``: the steps of the handshake."""

    def __init__(self, words: Iterable[str]) -> None:
        """:raise ValueError: not a level."""
        level = max((_level(word) for word in words), default=0)
        self.summary = level >= 1
        self.peer = level >= 2
        self.trace = level >= 2


def _level(word: str) -> int:
    level = int(word) if word.isdigit() else _WORDS.get(word.lower(), -1)
    if not 0 <= level <= 9:
        raise ValueError(word)
    return min(level, 4)
