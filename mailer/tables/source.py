"""The text that postmap(1) makes tables from: ``key value`` lines. texthash: reads the same text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mailer.tables.lines import SPACE, logical_lines
from mailer.tables.text import escaped, valid

__all__ = ["entries"]

_PLAIN = re.compile(r'([^\s"\\]+)\s+(.*)', re.ASCII | re.DOTALL).fullmatch
_KEY = re.compile(r'(?:[^\s"\\]|\\.|"(?:[^"\\]|\\.)*")*', re.ASCII | re.DOTALL).match


def entries(
    text: str, path: str, warn: Callable[[str], None], utf8: bool = True, skipped: str = ""
) -> Iterator[tuple[int, str, str]]:
    """``line number, key, value`` of each good line; what is wrong with the others is told to ``warn``.

    A key ends at the first white space outside double quotes; quotes stay part of it. ``skipped`` follows the complaint
    about a line without a value.
    """
    for number, line in logical_lines(text, path, warn):
        if utf8 and not valid(line):
            warn(f'{path}, line {number}: non-UTF-8 input "{escaped(line)}" -- ignoring this line')
            continue
        plain = _PLAIN(line)
        key, value = plain.groups() if plain is not None else _quoted(line)
        if key is None:
            warn(f"{path}, line {number}: unbalanced '\"' in '{line}' -- ignoring this line")
            continue
        value = value.rstrip(SPACE)
        if not key or not value:
            warn(f"{path}, line {number}: expected format: key whitespace value{skipped}")
            continue
        if key[-1] == ":":
            warn(f'{path}, line {number}: record is in "key: value" format; is this an alias file?')
        yield number, key, value


def _quoted(line: str) -> tuple[str | None, str]:
    """Key and value of a line with quotes or backslashes, or without a value; key None: a quote has no partner."""
    found = _KEY(line)
    key = found.group() if found is not None else ""
    rest = line[len(key) :]
    if rest.startswith('"'):
        return None, ""
    if rest == "\\":  # a backslash at the very end quotes nothing
        return key + rest, ""
    return key, rest.strip(SPACE)
