"""How postconf(1) lays out what it prints: ``name = value``, folded or not, and master.cf entries in columns."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["entry", "folded_command", "setting"]

_LINE_LIMIT = 80
_INDENT = "    "
#: Where the second and the following columns of a master.cf entry begin.
_COLUMNS = (11, 17, 25, 33, 41, 49, 57)


def setting(name: str, value: str, *, fold: bool = False, hide_name: bool = False, hide_value: bool = False) -> str:
    """One parameter, without a final newline; white space in the value is brought to single spaces."""
    if hide_value:
        return name
    words = value.split()
    if not hide_name:
        words = [name, "=", *words]
    return _folded(words) if fold else " ".join(words)


def _folded(words: list[str]) -> str:
    lines: list[str] = []
    line = ""
    for word in words:
        if not line:
            line = word if not lines else _INDENT + word
        elif word == "=" or len(line) + 1 + len(word) <= _LINE_LIMIT:
            line += " " + word
        else:
            lines.append(line)
            line = _INDENT + word
    return "\n".join([*lines, line])


def entry(fields: Iterable[str], argv: list[str], options: int, *, fold: bool = False) -> str:
    """A master.cf entry: the seven fields in columns, then the command (see `folded_command`)."""
    line = ""
    for field, column in zip(fields, _COLUMNS, strict=True):
        line = (line + field + " ").ljust(column)
    return line + folded_command(argv, options, len(line), fold=fold)


def folded_command(argv: list[str], options: int, start: int, *, fold: bool = False) -> str:
    """Command and arguments; the first ``options`` arguments are options. ``start`` is the column to begin at.

    Folded, each ``-o name=value`` has a line of its own.
    """
    text = argv[0]
    length = start + len(text)
    alone = False
    for word, is_setting in _groups(argv[1:], options):
        if fold and (is_setting or alone or length + 1 + len(word) >= _LINE_LIMIT):
            text += "\n" + _INDENT + word
            length = len(_INDENT) + len(word)
        else:
            text += " " + word
            length += 1 + len(word)
        alone = is_setting
    return text


def _groups(arguments: list[str], options: int) -> Iterable[tuple[str, bool]]:
    """Arguments as they are printed, with a mark at ``-o name=value``."""
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if word == "-o" and position < options:
            yield f"-o {_quoted(arguments[position])}", True
            position += 1
        else:
            yield _quoted(word), False


def _quoted(word: str) -> str:
    """In braces where the word would not be read back as one."""
    return word if word and not any(char.isspace() for char in word) else f"{{{word}}}"
