"""What can be wrong with a configuration, and where.

A `ConfigError` stops whatever needed the value; a `Problem` is the same knowledge as data, so that a check can
collect everything at once. Both know file and line when there is one, and say what would have been right.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ConfigError", "Problem", "closest_name"]


class ConfigError(Exception):
    """Something in main.cf, master.cf or on a command line that cannot be used.

    ``file`` and ``line`` (counted from 1) are None where the text came from somewhere else; ``problem`` says what is
    wrong, ``remedy`` what would be right (may be empty).
    """

    def __init__(self, problem: str, remedy: str = "", *, file: str | None = None, line: int | None = None) -> None:
        super().__init__(problem, remedy, file, line)
        self.problem = problem
        self.remedy = remedy
        self.file = file
        self.line = line

    def at(self, file: str | None, line: int | None) -> ConfigError:
        """The same error with a place, unless it has one already."""
        if self.file is not None or file is None:
            return self
        return ConfigError(self.problem, self.remedy, file=file, line=line)

    def __str__(self) -> str:
        return place(self.file, self.line) + self.problem + (f" ({self.remedy})" if self.remedy else "")


@dataclass(frozen=True)
class Problem:
    """One finding of a check. ``severity`` is "error" (the start is refused) or "warning"."""

    severity: str
    text: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        return place(self.file, self.line) + self.text

    @classmethod
    def from_error(cls, error: ConfigError) -> Problem:
        text = error.problem + (f" ({error.remedy})" if error.remedy else "")
        return cls("error", text, error.file, error.line)


def place(file: str | None, line: int | None) -> str:
    """``"file, line 3: "``, the way Postfix words it; empty when there is no file."""
    if file is None:
        return ""
    return f"{file}: " if line is None else f"{file}, line {line}: "


def closest_name(name: str, names: object) -> str | None:
    """The member of ``names`` that ``name`` was probably meant to be, or None."""
    from difflib import get_close_matches  # slow to import, and wanted only when something is wrong

    matches = get_close_matches(name, list(names), n=1, cutoff=0.8)  # type: ignore[call-overload]
    return matches[0] if matches else None
