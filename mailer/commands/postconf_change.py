"""postconf -e, -# and -X: from the words on the command line to edited files.

Checks the words, works on the text with `mailer.commands.postconf_edit`, and puts the new file in place of the old one.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from mailer.commands.postconf_edit import (
    comment_out,
    edit_rows,
    main_name,
    master_name,
    remove_entries,
    replace_entries,
    set_parameters,
)
from mailer.commands.postconf_master import matches, parse_pattern
from mailer.commands.postconf_source import Row, Source, fatal, row_from, warn
from mailer.config.errors import ConfigError
from mailer.config.maincf import split_setting
from mailer.config.mastercf import FIELDS, check_field

__all__ = ["change_entries", "change_fields", "change_main", "change_overrides"]


def change_main(source: Source, words: list[str], action: str) -> None:
    """``action`` is e (set), # (comment out) or X (remove). Raises Fatal."""
    if action == "e":
        settings: dict[str, str] = {}
        for word in words:
            name, value = _setting(word)
            if name in settings:
                warn(f"ignoring earlier request: '{name} = {settings.pop(name)}'")
            settings[name] = value
        _rewrite(source.main_path, lambda text: set_parameters(text, settings, str(source.main_path)))
        return
    names = {_name(word, action) for word in words}
    edit = comment_out if action == "#" else remove_entries
    _rewrite(source.main_path, lambda text: edit(text, names.__contains__, main_name))


def change_entries(source: Source, words: list[str], action: str) -> None:
    """-M: replace, comment out or remove whole entries. Raises Fatal."""
    rows: dict[str, Row] = {}
    for word in words:
        pattern, text = _setting(word) if action == "e" else (_name(word, action), "")
        pattern = "/".join(_pattern(pattern, 2, "-Me, -MX or -M# requires service_name/type"))
        rows.pop(pattern, None)
        rows[pattern] = _row(text, word) if action == "e" else _NO_ROW
    if action == "e":
        _rewrite(source.master_path, lambda text: replace_entries(text, rows, _means))
        return
    edit = comment_out if action == "#" else remove_entries
    _rewrite(
        source.master_path,
        lambda text: edit(text, lambda name: any(_means(pattern, name) for pattern in rows), master_name),
    )


def change_fields(source: Source, words: list[str], action: str) -> None:
    """-F: set fields of entries. Raises Fatal."""
    requests = []
    for word in words:
        path, value = _setting(word)
        pattern = _pattern(path, 3, "-Fe or -FX requires service_name/type/field_name")
        _check_field(pattern[2], value)
        requests.append((word, pattern, lambda row, name=pattern[2], value=value: _set_field(row, name, value)))
    _edit_rows(source, requests)


def change_overrides(source: Source, words: list[str], action: str) -> None:
    """-P: set or remove ``-o`` settings of entries. Raises Fatal."""
    requests = []
    for word in words:
        path, value = _setting(word) if action == "e" else (_name(word, action), "")
        pattern = _pattern(path, 3, "-Pe or -PX requires service_name/type/parameter")
        if pattern[2] == "*":
            fatal("-Pe does not accept wild-card parameter name")
        if any(char.isspace() for char in value):
            fatal("-Pe does not accept whitespace in parameter value")
        new = value if action == "e" else None
        requests.append((word, pattern, lambda row, name=pattern[2], new=new: _set_override(row, name, new)))
    _edit_rows(source, requests)


_NO_ROW = Row([], [], 0, "")


def _setting(word: str) -> tuple[str, str]:
    _refuse_odd(word)
    try:
        return split_setting(word)
    except ConfigError as error:
        fatal(error.problem)


def _name(word: str, action: str) -> str:
    _refuse_odd(word)
    name = word.strip()
    if not name:
        fatal("-X or -# requires non-blank parameter names")
    if "=" in name:
        fatal(f"specify one of -e -{action}")
    return name


def _refuse_odd(word: str) -> None:
    if "\n" in word:
        fatal("-e, -X, or -# accepts no multi-line input")
    if word.strip().startswith("#"):
        fatal("-e, -X, or -# accepts no comment input")


def _pattern(text: str, parts: int, refusal: str) -> list[str]:
    pattern = parse_pattern(text, parts)
    if pattern is None or len(pattern) != parts:
        fatal(refusal)
    return pattern


def _check_field(name: str, value: str) -> None:
    if name == "*":
        fatal("-Fe does not accept wild-card field name")
    if name not in FIELDS:
        fatal(f'invalid service attribute name: "{name}"')
    if not value:
        fatal(f'invalid {name} field "{value}"')
    if name != "command" and any(char.isspace() for char in value):
        fatal("-Fe does not accept whitespace in non-command field")
    try:
        check_field(name, value, value)
    except ConfigError as error:
        fatal(error.problem)


def _row(text: str, word: str) -> Row:
    try:
        return row_from(text, "")
    except ConfigError as error:
        fatal(f'bad field count: "{word}"' if error.problem == "bad field count" else error.problem)


def _means(pattern: str, name: str) -> bool:
    service, _, kind = name.rpartition("/")
    return all(part in ("*", word) for part, word in zip(pattern.split("/"), (service, kind), strict=True))


def _set_field(row: Row, name: str, value: str) -> None:
    if name != "command":
        row.fields[FIELDS.index(name)] = value
        return
    changed = row_from(" ".join([*row.fields, value]), row.file)
    row.argv, row.options = changed.argv, changed.options


def _set_override(row: Row, name: str, value: str | None) -> None:
    positions = [at for at in row.setting_positions() if row.argv[at].partition("=")[0] == name]
    if value is None:
        for position in reversed(positions):
            del row.argv[position - 1 : position + 1]
            row.options -= 2
    elif positions:
        for position in positions:
            row.argv[position] = f"{name}={value}"
    else:
        at = row.options + 1
        row.argv[at:at] = ["-o", f"{name}={value}"]
        row.options += 2


def _edit_rows(source: Source, requests: Iterable[tuple[str, list[str], Callable[[Row], None]]]) -> None:
    requests = list(requests)
    matched: set[str] = set()

    def edit(row: Row) -> bool:
        meant = [request for request in requests if matches(row, request[1])]
        for word, _pattern, change in meant:
            matched.add(word)
            change(row)
        return bool(meant)

    def rewrite(text: str) -> str:
        try:
            return edit_rows(text, edit, str(source.master_path))
        except ConfigError as error:
            fatal(error.problem)

    _rewrite(source.master_path, rewrite)
    for word, _pattern, _change in requests:
        if word not in matched:
            warn(f'unmatched service_name/type: "{word}"')


def _rewrite(path: Path, edit: Callable[[str], str]) -> None:
    """Replace the file by its edited text, all at once, with the old one's owner and mode. Raises Fatal."""
    path = Path(os.path.realpath(path))
    try:
        old = path.read_bytes()
        status = path.stat()
    except OSError as error:
        fatal(f"open {path} for reading: {error.strerror}")
    new = edit(old.decode("utf-8", "surrogateescape"))
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)
    except OSError as error:
        fatal(f"open {path}.tmp: {error.strerror}")
    try:
        with open(descriptor, "wb") as stream:
            stream.write(new.encode("utf-8", "surrogateescape"))
            stream.flush()
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
            if os.geteuid() == 0:
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fsync(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        os.unlink(temporary)
        fatal(f"{path}: {error.strerror}")
