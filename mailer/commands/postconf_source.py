"""What postconf(1) reads: main.cf and master.cf as they are, with complaints where a daemon would give up.

Keeps entries of master.cf as words (a `Row`), since postconf shows and edits what is written, not what it means.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from mailer.config.errors import ConfigError, Problem
from mailer.config.expand import expand
from mailer.config.machine import Machine
from mailer.config.maincf import Entry, logical_lines, parse_main, split_setting
from mailer.config.mastercf import FIELDS, check_fields, plain_options, split_entry
from mailer.config.settings import Settings, class_suffixes
from mailer.config.usage import UsedNames, service_parameters, used_names

__all__ = ["Fatal", "Row", "Source", "expanded", "fatal", "read_rows", "row_from", "warn"]

_COMMAND = FIELDS.index("command")


class Fatal(Exception):
    """The command ends with this message and exit status 1."""


def fatal(text: str) -> NoReturn:
    raise Fatal(text)


def warn(text: str) -> None:
    print(f"postconf: warning: {text}", file=sys.stderr)


@dataclass
class Row:
    """One entry of master.cf: seven ``fields``, then command and arguments (``-o`` parted from its value).

    ``options`` counts the arguments that stand before the first that is no option; ``line`` is the logical line's.
    """

    fields: list[str]
    argv: list[str]
    options: int
    file: str
    line: int = 0

    @property
    def name(self) -> str:
        return self.fields[0]

    @property
    def type(self) -> str:
        return self.fields[1]

    @property
    def command(self) -> str:
        return self.argv[0]

    @property
    def overrides(self) -> dict[str, Entry]:
        """The ``-o`` settings; those that are no settings are left out."""
        found: dict[str, Entry] = {}
        for position in self.setting_positions():
            try:
                name, value = split_setting(self.argv[position])
            except ConfigError:
                continue
            found[name] = Entry(name, value, self.file, self.line)
        return found

    def setting_positions(self) -> list[int]:
        """Where in ``argv`` the values of ``-o`` stand."""
        positions = []
        position = 1
        while position < self.options:
            if self.argv[position] == "-o":
                position += 1
                positions.append(position)
            position += 1
        return positions


def row_from(text: str, file: str, line: int = 0) -> Row:
    """Make a row of one logical line. Raises ConfigError; complaints about braces go to standard error."""
    words, complaints = split_entry(text)
    check_fields(words, text)
    for complaint in complaints:
        warn(f"master.cf: {complaint}")
    arguments, options = plain_options(words[_COMMAND + 1 :])
    argv = [words[_COMMAND], *arguments]
    row = Row(words[:_COMMAND], argv, options, file, line)
    for position in row.setting_positions():
        name, equals, value = argv[position].partition("=")
        argv[position] = name.strip() + equals + value.strip()
    return row


def read_rows(path: Path) -> list[Row]:
    """All entries of a master.cf, duplicates included. Raises OSError and Fatal."""
    problems: list[Problem] = []
    rows = []
    text = path.read_text("utf-8", "surrogateescape")
    for line in logical_lines(text.split("\n"), str(path), problems):
        try:
            rows.append(row_from(line.text, str(path), line.first))
        except ConfigError as error:
            place = f"file {path}: line {line.first}: " if error.problem == "bad field count" else ""
            fatal(place + error.problem)
    for problem in problems:
        warn(f"{problem.file}: {problem.text}")
    return rows


@dataclass(frozen=True)
class Source:
    """The files of one directory, read when first asked for.

    ``need_master``: master.cf is what is to be shown, rather than main.cf.
    """

    directory: str
    explicit_directory: bool = False
    overrides: Mapping[str, str] = field(default_factory=dict)
    defaults_only: bool = False
    need_master: bool = False

    @property
    def main_path(self) -> Path:
        return Path(self.directory, "main.cf")

    @property
    def master_path(self) -> Path:
        return Path(self.directory, "master.cf")

    @cached_property
    def rows(self) -> list[Row]:
        """master.cf. Where only the names matter that it brings along, a missing one is told and brings none."""
        try:
            return read_rows(self.master_path)
        except OSError as error:
            text = f"open {self.master_path}: {error.strerror}"
            if self.need_master:
                fatal(text)
            warn(text)
            return []

    @cached_property
    def settings(self) -> Settings:
        """main.cf and -o, or nothing but defaults."""
        entries: dict[str, Entry] = {}
        if not self.defaults_only:
            if self.explicit_directory:
                entries["config_directory"] = Entry("config_directory", self.directory)
            entries |= self._main()
            entries |= {name: Entry(name, value, str(self.main_path)) for name, value in self.overrides.items()}
        identity = {"process_id": str(os.getpid()), "process_name": "postconf", "service_name": ""}
        return Settings(entries, machine=Machine(), forced=identity)

    def _main(self) -> dict[str, Entry]:
        try:
            text = self.main_path.read_text("utf-8", "surrogateescape")
            parsed = parse_main(text, str(self.main_path))
        except OSError as error:
            fatal(f"open {self.main_path}: {error.strerror}")
        except ConfigError as error:
            fatal(str(ConfigError(error.problem, file=error.file, line=error.line)))
        for problem in parsed.problems:
            warn(str(problem))
        return parsed.entries

    @cached_property
    def service_names(self) -> frozenset[str]:
        """The per-transport parameters that the services of master.cf bring along."""
        return service_parameters(self.rows, class_suffixes(self.settings.declared))

    @cached_property
    def used(self) -> UsedNames:
        return used_names(self.settings, self.rows)

    def warn_undefined(self) -> None:
        """Tell what values refer to in vain: in master.cf, and in main.cf where that is what is shown."""
        if not self.need_master:
            for name in sorted(self.used.undefined_in_main):
                warn(f"{self.main_path}: undefined parameter: {name}")
        for name in sorted(self.used.undefined_in_master):
            warn(f"{self.master_path}: undefined parameter: {name}")

    def warn_unused(self) -> None:
        """Tell which settings nothing reads, of the same files."""
        for entry in self.used.unused:
            if entry.file == str(self.master_path) or not self.need_master:
                warn(f"{entry.file}: unused parameter: {entry.name}={entry.value}")
        if not self.need_master:
            for entry in self.used.read_only:
                warn(f"{entry.file}: read-only parameter assignment: {entry.name}={entry.value}")


def expanded(text: str, settings: Settings) -> str:
    """-x: the text with $name expanded. Raises Fatal after a warning that says why it cannot be."""
    try:
        return expand(text, settings.raw)
    except ConfigError as error:
        warn(error.problem)
        fatal("macro processing error")
