"""postconf -M, -F and -P: the entries of master.cf, their fields, and their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from mailer.commands.postconf_print import entry, folded_command
from mailer.commands.postconf_show import Look
from mailer.commands.postconf_source import Row, Source, expanded, fatal, warn
from mailer.config.declaration import Kind
from mailer.config.mastercf import FIELDS
from mailer.config.settings import Settings

__all__ = ["matches", "parse_pattern", "show_entries", "show_fields", "show_overrides"]

_WILD = "*"
_FORMS = {
    "-M": "service_name[/type]",
    "-F": "service_name[/type[/field]]",
    "-P": "service_name[/type[/parameter]]",
}


def parse_pattern(text: str, most: int) -> list[str] | None:
    """``service``, ``service/type`` or ``service/type/name`` to its parts; None when it is no such pattern.

    A part is ``*`` or has none in it; at most ``most`` parts.
    """
    parts = [part for part in text.split("/") if part]
    odd = any("*" in part and part != _WILD for part in parts)
    return None if odd or text.startswith("/") or not 0 < len(parts) <= most else parts


def matches(row: Row, pattern: Sequence[str]) -> bool:
    """Whether a pattern's ``service/type`` means this entry; what is missing means any."""
    return all(part in (_WILD, word) for part, word in zip(pattern, (row.name, row.type), strict=False))


def show_entries(source: Source, patterns: Iterable[str], look: Look, out: Callable[[str], None]) -> None:
    """-M: whole entries. Raises Fatal."""

    def show(row: Row, _pattern: list[str]) -> int:
        out(entry(row.fields, _argv(source, row, look), row.options, fold=look.fold))
        return 1

    _for_each(source, patterns, "-M", show)


def show_fields(source: Source, patterns: Iterable[str], look: Look, out: Callable[[str], None]) -> None:
    """-F: one line for each field. Raises Fatal."""

    def show(row: Row, pattern: list[str]) -> int:
        wanted = pattern[2] if len(pattern) > 2 else _WILD
        if wanted != _WILD and wanted not in FIELDS:
            fatal(f'invalid service attribute name: "{wanted}"')
        chosen = [name for name in FIELDS if wanted in (_WILD, name)]
        for name in chosen:
            out(_field(source, row, name, look))
        return len(chosen)

    _for_each(source, patterns, "-F", show)


def show_overrides(source: Source, patterns: Iterable[str], look: Look, out: Callable[[str], None]) -> None:
    """-P: one line for each ``-o`` setting, sorted within an entry. Raises Fatal."""

    def show(row: Row, pattern: list[str]) -> int:
        wanted = pattern[2] if len(pattern) > 2 else _WILD
        overrides = row.overrides
        chosen = [name for name in sorted(overrides) if wanted in (_WILD, name)]
        settings = source.settings.with_overrides(overrides.values())
        for name in chosen:
            value = _expanded(settings, name, overrides[name].value) if look.expand else overrides[name].value
            out(look.line(f"{row.name}/{row.type}/{name}", value))
        return len(chosen)

    _for_each(source, patterns, "-P", show)


def _for_each(source: Source, patterns: Iterable[str], option: str, show: Callable[[Row, list[str]], int]) -> None:
    """Show each entry that a pattern matches, in the order of the patterns; tell which pattern showed nothing."""
    asked = list(patterns)
    form = _FORMS[option]
    for text in asked or [_WILD]:
        pattern = parse_pattern(text, form.count("/") + 1)
        if pattern is None:
            fatal(f"{option} option requires {form}")
        shown = sum(show(row, pattern) for row in source.rows if matches(row, pattern))
        if asked and not shown:
            warn(f'unmatched request: "{text}"')


def _field(source: Source, row: Row, name: str, look: Look) -> str:
    label = f"{row.name}/{row.type}/{name}"
    if name != "command":
        return look.line(label, row.fields[FIELDS.index(name)])
    if look.hide_value:
        return label
    prefix = "" if look.hide_name else f"{label} = "
    return prefix + folded_command(_argv(source, row, look), row.options, len(prefix), fold=look.fold)


def _argv(source: Source, row: Row, look: Look) -> list[str]:
    if not look.expand:
        return row.argv
    settings = source.settings.with_overrides(row.overrides.values())
    argv = list(row.argv)
    for position, name, value in _settings_in(row):
        argv[position] = f"{name}={_expanded(settings, name, value)}"
    return argv


def _settings_in(row: Row) -> Iterator[tuple[int, str, str]]:
    for position in row.setting_positions():
        name, equals, value = row.argv[position].partition("=")
        if equals:
            yield position, name, value


def _expanded(settings: Settings, name: str, value: str) -> str:
    parameter = settings.declared.get(name)
    if parameter is not None and parameter.kind is Kind.RAW:
        return value
    return expanded(value, settings)
