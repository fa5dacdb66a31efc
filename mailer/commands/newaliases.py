"""newaliases(1): make all alias databases anew that alias_database names. Failures exit as sendmail(1) does."""

from __future__ import annotations

import getopt
import sys

from mailer.commands import postalias
from mailer.commands.instance import default_config_directory
from mailer.config.errors import ConfigError
from mailer.config.load import load

__all__ = ["main"]

_TEMPORARY = 75
_IGNORED = "A:B:C:F:GIL:N:O:R:UV:X:b:e:f:h:imno:p:qr:tv"


def main(argv: list[str] | None = None) -> int:
    """Console entry point. Of sendmail's options -C (-c) and -oA count here. :return: the exit status."""
    directory = ""
    chosen: list[str] = []
    verbose: list[str] = []
    try:
        options, _ = getopt.getopt(sys.argv[1:] if argv is None else argv, _IGNORED + "c:")
    except getopt.GetoptError as error:
        print(f"newaliases: fatal: {error}", file=sys.stderr)
        return _TEMPORARY
    for option, value in options:
        if option in ("-C", "-c"):
            directory = value.removesuffix("/main.cf")
        elif option == "-o" and value.startswith("A"):
            chosen.append(value[1:])
        elif option == "-v":
            verbose.append("-v")
    try:
        place = directory or default_config_directory()
        databases = chosen or list(load(place, need_master=False).settings.alias_database)
    except ConfigError as error:
        print(f"newaliases: fatal: {error.problem}", file=sys.stderr)
        return _TEMPORARY
    if not databases:
        return 0
    return postalias.main([*verbose, "-c", place, "--", *databases])
