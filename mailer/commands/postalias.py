"""postalias(1): make an alias database from aliases(5) text, ask one, list one, change one."""

from __future__ import annotations

from mailer.commands.mapjob import Program
from mailer.commands.mapping import run
from mailer.tables.aliases import alias_entries

__all__ = ["main"]

_PROGRAM = Program(
    name="postalias",
    usage="usage: postalias [-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
    options="Nc:d:finopq:rsuvw",
    entries=alias_entries,
    separator=":\t",
    signed=True,
)


def main(argv: list[str] | None = None) -> int:
    """Console entry point. :return: the exit status."""
    return run(_PROGRAM, argv)
