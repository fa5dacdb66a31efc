"""Editing main.cf and master.cf in place of their authors: text in, text out, comments and the rest left alone.

postconf(1), -e, -# and -X. Knows how entries and continuation lines look, not what they mean.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping

from mailer.commands.postconf_print import entry
from mailer.commands.postconf_source import Row, row_from, warn

__all__ = [
    "comment_out",
    "edit_rows",
    "main_name",
    "master_name",
    "remove_entries",
    "replace_entries",
    "set_parameters",
]

_SPACE = " \t\r\n\v\f"


def set_parameters(text: str, settings: Mapping[str, str], file: str) -> str:
    """main.cf with these parameters set: where they are, or at the end. ``file`` is for a warning about duplicates."""
    result: list[str] = []
    done: set[str] = set()
    for name, line in _named(text, main_name):
        if name not in settings:
            result.append(line)
        elif not _continues(line):
            if name in done:
                warn(f'{file}: multiple entries for "{name}"')
            done.add(name)
            result.append(f"{name} = {settings[name]}\n")
    return _complete(result) + "".join(f"{name} = {value}\n" for name, value in settings.items() if name not in done)


def comment_out(text: str, wanted: Callable[[str], bool], name_of: Callable[[str], str]) -> str:
    """The text with the wanted entries made comments; ``name_of`` tells an entry's name from its first line."""
    return "".join(f"#{line}" if name and wanted(name) else line for name, line in _named(text, name_of))


def remove_entries(text: str, wanted: Callable[[str], bool], name_of: Callable[[str], str]) -> str:
    """The text without the wanted entries."""
    return "".join(line for name, line in _named(text, name_of) if not (name and wanted(name)))


def replace_entries(text: str, rows: Mapping[str, Row], is_meant: Callable[[str, str], bool]) -> str:
    """master.cf with whole entries replaced, or added at the end.

    ``rows`` maps a pattern to the new entry; ``is_meant(pattern, name)`` tells whether it means the entry of that name.
    """
    result: list[str] = []
    done: set[str] = set()
    for name, line in _named(text, master_name):
        pattern = next((pattern for pattern in rows if name and is_meant(pattern, name)), None)
        if pattern is None:
            result.append(line)
        elif not _continues(line):
            done.add(pattern)
            result.append(_entry(rows[pattern]))
    return _complete(result) + "".join(_entry(row) for pattern, row in rows.items() if pattern not in done)


def edit_rows(text: str, edit: Callable[[Row], bool], file: str) -> str:
    """master.cf with each entry that ``edit`` changes written anew; it gets a row and tells whether it did.

    Comments between the lines of such an entry, and behind it, come to stand before it. Raises ConfigError.
    """
    result: list[str] = []
    parts: list[str] = []
    between: list[str] = []

    def finish() -> None:
        row = row_from("".join(line.rstrip("\n") for line in parts if not _is_remark(line)), file) if parts else None
        if row is not None and edit(row):
            result.extend([*between, _entry(row)])
        else:
            result.extend(parts)
        parts.clear()
        between.clear()

    for name, line in _named(text, master_name):
        if name and not _continues(line):
            finish()
        if name or parts:
            parts.append(line)
        else:
            result.append(line)
        if parts and _is_remark(line):
            between.append(line)
    finish()
    return _complete(result)


def main_name(line: str) -> str:
    """The parameter that the first line of a main.cf entry sets."""
    words = line.partition("=")[0].split()
    return words[0] if words else "="


def master_name(line: str) -> str:
    """``service/type`` of the first line of a master.cf entry."""
    words = line.split(None, 2)
    return f"{words[0]}/{words[1]}" if len(words) > 1 else f"{words[0]}/"


def _named(text: str, name_of: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Each line with the name of the entry that it belongs to; empty for remarks and for what continues nothing."""
    name = ""
    for line in io.StringIO(text, newline="\n"):
        if _is_remark(line):
            yield "", line
            continue
        if not _continues(line):
            name = name_of(line)
        yield name, line


def _is_remark(line: str) -> bool:
    visible = line.lstrip(_SPACE)
    return not visible or visible[0] == "#"


def _continues(line: str) -> bool:
    return line[0] in _SPACE


def _complete(lines: list[str]) -> str:
    """The lines as one text that ends with a newline, so that what is added stands on a line of its own."""
    text = "".join(lines)
    return text if not text or text.endswith("\n") else text + "\n"


def _entry(row: Row) -> str:
    return entry(row.fields, row.argv, row.options, fold=True) + "\n"
