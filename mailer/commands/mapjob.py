"""What a postmap(1) or postalias(1) command line asks for, and how these commands complain."""

from __future__ import annotations

import getopt
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from mailer.commands.toollog import note
from mailer.interfaces.table import TableOptions
from mailer.tables.text import escaped, octets, string

__all__ = ["Complaints", "Fatal", "Job", "Program", "parse"]


@dataclass(frozen=True)
class Program:
    """What differs between the commands. ``entries`` parses source text; ``separator`` stands between key and value in
    listings; ``signed`` adds the entries that Sendmail and NIS look for."""

    name: str
    usage: str
    options: str
    entries: Callable[..., Iterator[tuple[int, str, str]]]
    separator: str
    signed: bool = False


class Fatal(Exception):
    """The command ends with exit status 1; the text may be empty."""


class Complaints:
    """A service log for commands: everything goes to standard error, under the command's name."""

    def __init__(self, program: str) -> None:
        self._program = program
        self.settings: Any = None  # when they are known, complaints go to the mail log as well

    def _complain(self, severity: str, text: str) -> None:
        self.info(f"{severity}: {text}")
        note(self.settings, self._program, severity, text)

    def info(self, text: str) -> None:
        """To the terminal alone."""
        line = octets(f"{self._program}: {escaped(text)}\n")
        sys.stderr.flush()
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()

    def warning(self, text: str) -> None:
        self._complain("warning", text)

    def error(self, text: str) -> None:
        self._complain("error", text)

    def fatal(self, text: str) -> None:
        self._complain("fatal", text)

    def panic(self, text: str) -> None:
        self._complain("panic", text)


@dataclass
class Job:
    """What the command line asks for."""

    program: Program
    directory: str = ""
    query: str | None = None
    key: str | None = None  # to delete
    listing: bool = False
    incremental: bool = False
    as_owner: bool = True
    inherit_mode: bool = True
    headers: bool = False
    body: bool = False
    mime: bool = False
    force_utf8: bool = False
    files: bool = False  # values are names of files (-F)
    verbose: int = 0
    options: TableOptions = field(default_factory=TableOptions)
    specs: list[str] = field(default_factory=list)
    settings: Any = None
    context: Any = None

    def typed(self, spec: str) -> str:
        """``type:name``, with the default type where none is named."""
        return spec if ":" in spec else f"{self.settings.default_database_type}:{spec}"


def parse(program: Program, argv: list[str]) -> Job:
    """:raise Fatal: with the text to end with."""
    try:
        found, specs = getopt.getopt(argv, program.options)
    except getopt.GetoptError as error:
        reason = "option requires an argument" if "requires argument" in error.msg else "invalid option"
        print(f"{program.name}: {reason} -- '{error.opt}'", file=sys.stderr)
        raise Fatal(program.usage) from None
    job = Job(program, specs=[string(os.fsencode(spec)) for spec in specs])
    for option, value in found:
        _apply(job, option, value)
    _check(job)
    if not specs and not job.listing:
        raise Fatal(program.usage)
    return job


def _apply(job: Job, option: str, value: str) -> None:
    value = string(os.fsencode(value))
    if option == "-c":
        job.directory = value
    elif option in ("-q", "-d"):
        if job.listing or job.query is not None or job.key is not None:
            raise Fatal("specify only one of -s -q or -d")
        if option == "-q":
            job.query = value
        else:
            job.key = value
    elif option == "-s":
        if job.query is not None or job.key is not None:
            raise Fatal("specify only one of -s or -q or -d")
        job.listing = True
    elif option == "-v":
        job.verbose += 1
    elif option in _FLAGS:
        setattr(job, *_FLAGS[option])
    else:
        job.options = replace(job.options, **_OPTIONS[option])


_FLAGS: dict[str, tuple[str, bool]] = {
    "-i": ("incremental", True),
    "-o": ("as_owner", False),
    "-p": ("inherit_mode", False),
    "-h": ("headers", True),
    "-b": ("body", True),
    "-m": ("mime", True),
    "-U": ("force_utf8", True),
    "-F": ("files", True),
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "-f": {"fold": False},
    "-u": {"utf8": False},
    "-N": {"nul": True},
    "-n": {"nul": False},
    "-r": {"duplicates": "replace"},
    "-w": {"duplicates": "ignore"},
}


def _check(job: Job) -> None:
    if (job.headers or job.body or job.mime) and job.query != "-":
        raise Fatal('specify -b -h or -m only with "-q -"')
    if job.mime and not (job.headers or job.body):
        Complaints(job.program.name).warning("ignoring -m option without -b or -h")
