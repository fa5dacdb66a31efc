"""A log that remembers."""

from __future__ import annotations

__all__ = ["RecordingLog"]


class RecordingLog:
    """Stands where a ServiceLog is expected; ``lines`` holds ``info text``, ``warning text`` ... in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tag = "postfix/test[1]"

    def _take(self, severity: str, text: str) -> None:
        self.lines.append(f"{severity} {text}")

    def info(self, text: str) -> None:
        self._take("info", text)

    def warning(self, text: str) -> None:
        self._take("warning", text)

    def error(self, text: str) -> None:
        self._take("error", text)

    def fatal(self, text: str) -> None:
        self._take("fatal", text)

    def panic(self, text: str) -> None:
        self._take("panic", text)
