"""``mailer``: what administrators ask about this mail system and Postfix has no command for. One module a subcommand.

mailer check [-c DIRECTORY] [--fix]      mailer status [-c DIRECTORY] [--json]
mailer explain [-c DIRECTORY] [--json] [--client ADDRESS ...] ADDRESS
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from mailer import __version__

__all__ = ["SUBCOMMANDS", "main"]

#: Name -> its module, which has ``arguments(parser)`` and ``run(options) -> exit status``, and what it does.
SUBCOMMANDS = {
    "check": ("mailer.commands.mailer_check", "look at the configuration and at the directories, and mend these"),
    "explain": ("mailer.commands.mailer_explain", "what becomes of an address, and what a client would be told"),
    "status": ("mailer.commands.mailer_status", "which processes run, and how they fare"),
}


def main(argv: list[str] | None = None) -> None:
    """Console entry point."""
    parser = argparse.ArgumentParser(prog="mailer", description="Questions to this mail system.")
    parser.add_argument("--version", action="version", version=f"mailer {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (_, words) in SUBCOMMANDS.items():
        commands.add_parser(name, help=words, add_help=False)
    options, rest = parser.parse_known_args(sys.argv[1:] if argv is None else argv)
    module, words = SUBCOMMANDS[options.command]
    subcommand = import_module(module)
    own = argparse.ArgumentParser(prog=f"mailer {options.command}", description=f"{words[0].upper()}{words[1:]}.")
    own.add_argument("-c", "--config-directory", metavar="DIRECTORY", help="where main.cf and master.cf are")
    subcommand.arguments(own)
    sys.exit(subcommand.run(own.parse_args(rest)))


if __name__ == "__main__":
    main()
