"""Logical lines of table files (postmap(1), regexp_table(5), cidr_table(5)): comments, empty lines, continuation.

A line whose first character is white space continues the one before, also across comments and empty lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

__all__ = ["SPACE", "logical_lines"]

#: White space as the C locale has it; ``str.split`` would also split at U+00A0 and its kin.
SPACE = " \t\n\v\f\r"


def logical_lines(text: str, path: str, warn: Callable[[str], None]) -> Iterator[tuple[int, str]]:
    """``number of the first line, text`` of each logical line; continuation keeps its leading white space.

    :param warn: told of lines that continue nothing.
    """
    first = 0
    parts: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.lstrip(SPACE)
        if not stripped or stripped[0] == "#":
            continue
        if parts and line[0] not in SPACE:
            yield from _finished(first, "".join(parts), path, warn)
            parts = []
        if not parts:
            first = number
        parts.append(line)
    if parts:
        yield from _finished(first, "".join(parts), path, warn)


def _finished(number: int, line: str, path: str, warn: Callable[[str], None]) -> Iterator[tuple[int, str]]:
    if line[0] in SPACE:
        shown = line if len(line) <= 30 else f"{line[:30]}..."
        warn(f'{path}: logical line must not start with whitespace: "{shown}"')
    else:
        yield number, line.partition("\0")[0]
