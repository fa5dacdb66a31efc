"""``mailer check``: everything that a start would complain of, without starting; with ``--fix`` directories are mended.

The exit status is 1 if a start would be refused, else 0.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mailer.commands.instance import default_config_directory
from mailer.config.errors import ConfigError
from mailer.master.choice import choose
from mailer.master.directories import Unsafe, findings, mend, prepare
from mailer.master.launch import CannotStart, read
from mailer.master.privileges import Owner, owner_of

__all__ = ["arguments", "run"]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fix", action="store_true", help="make and mend directories (as root)")


def run(options: argparse.Namespace) -> int:
    directory = Path(options.config_directory or default_config_directory())
    try:
        plan = read(directory)
    except CannotStart as error:
        _say(str(error))
        return 1
    for problem in plan.problems:
        _say(f"{problem.severity}: {problem}")
    settings = plan.configuration.settings
    owner = _owner(settings)
    refused = False
    try:
        if options.fix:
            mend(findings(settings, owner))
            prepare(settings, owner)
        for finding in findings(settings, owner):
            _say(f"{'error' if finding.unsafe else 'warning'}: {finding}")
            refused = refused or finding.unsafe
        choice = choose(settings.mailer_layout, settings)
    except (OSError, Unsafe, ConfigError) as error:
        _say(f"error: {error}")
        return 1
    if choice.warning:
        _say(f"warning: {choice.warning}")
    print(f"mailer: layout {choice.layout}")
    return int(refused)


def _owner(settings: object) -> Owner | None:
    """The account that everything ought to belong to, where there is one."""
    try:
        return owner_of(settings)
    except ConfigError:
        return None


def _say(text: str) -> None:
    print(f"mailer: {text}", file=sys.stderr)
