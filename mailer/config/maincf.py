"""main.cf text to entries, following postconf(5): "The general format of the main.cf file".

Blank lines and lines whose first visible character is ``#`` are skipped wherever they stand, a line that starts with
white space continues the one before, the first ``=`` parts name from value, and the last setting of a name wins.
Knows nothing of what names mean and does not expand ``$name``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mailer.config.errors import ConfigError, Problem

__all__ = ["Entry", "MainFile", "LogicalLine", "logical_lines", "parse_main", "split_setting"]

_SPACE = " \t\r\n\v\f"


@dataclass(frozen=True)
class LogicalLine:
    """A line with its continuations joined: the text, and the numbers (from 1) of its first and last line."""

    text: str
    first: int
    last: int


@dataclass(frozen=True)
class Entry:
    """One setting: ``value`` is raw text. ``file`` and ``line`` say where; both None for one made by a program."""

    name: str
    value: str
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class MainFile:
    """What a main.cf says: the entry in force for each name, and warnings in the order of the file."""

    entries: dict[str, Entry] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def logical_lines(lines: Iterable[str], file: str | None, problems: list[Problem]) -> Iterator[LogicalLine]:
    """Join continuation lines. A continuation of nothing is reported and skipped, as Postfix does."""
    parts: list[str] = []
    first = last = 0
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\n")
        visible = line.strip(_SPACE)
        if not visible or visible[0] == "#":
            continue
        if line[0] not in _SPACE:
            if parts:
                yield LogicalLine("".join(parts), first, last)
            parts, first = [line], number
        elif parts:
            parts.append(line)
        else:
            text = f'logical line must not start with whitespace: "{line[:30]}"'
            problems.append(Problem("warning", text, file, number))
            continue
        last = number
    if parts:
        yield LogicalLine("".join(parts), first, last)


def split_setting(text: str) -> tuple[str, str]:
    """``name = value`` to its two halves, outer white space removed. Raises ConfigError without a place."""
    name, equals, value = text.partition("=")
    name = name.strip(_SPACE)
    shown = text.strip(_SPACE)[:100]
    if not name and equals:
        raise ConfigError(f'missing attribute name: "{shown}"', "write name = value")
    if not equals or any(char in _SPACE for char in name):
        raise ConfigError(f"missing '=' after attribute name: \"{shown}\"", "write name = value")
    return name, value.strip(_SPACE)


def parse_main(text: str, file: str | None = None) -> MainFile:
    """Parse a whole main.cf. Raises ConfigError, with the place, at the first line that is not a setting."""
    problems: list[Problem] = []
    entries: dict[str, Entry] = {}
    for line in logical_lines(text.split("\n"), file, problems):
        if "\0" in line.text:
            raise ConfigError("a NUL byte", "main.cf is text", file=file, line=line.first)
        try:
            name, value = split_setting(line.text)
        except ConfigError as error:
            raise error.at(file, line.first) from None
        earlier = entries.get(name)
        if earlier is not None:
            told = f"overriding earlier entry: {name}={earlier.value}"
            problems.append(Problem("warning", told, file, line.first))
        entries[name] = Entry(name, value, file, line.first)
    return MainFile(entries, tuple(problems))
