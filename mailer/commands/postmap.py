"""postmap(1): make a lookup table from text, ask one, list one, change one."""

from __future__ import annotations

from mailer.commands.mapjob import Program
from mailer.commands.mapping import run
from mailer.tables.source import entries

__all__ = ["main"]

_PROGRAM = Program(
    name="postmap",
    usage="usage: postmap [-bfFhimnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...",
    options="Nbc:d:fhimnopq:rsuUvwF",
    entries=entries,
    separator="\t",
)


def main(argv: list[str] | None = None) -> int:
    """Console entry point. :return: the exit status."""
    return run(_PROGRAM, argv)
