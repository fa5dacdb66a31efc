"""``twistd mailer``: options in, a service out. What the options mean is the business of ``mailer.master``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from mailer import __version__

__all__ = ["Options", "makeService"]


class Options(usage.Options):
    """Command line of ``twistd mailer``."""

    longdesc = (
        "A mail transfer agent that reads Postfix's main.cf and master.cf. Without --config-directory it runs an embedded"
        " default below one directory of yours: SMTP on 127.0.0.1:2525, local mail into Maildirs."
    )
    optParameters = [
        ["config-directory", "c", None, "Where main.cf and master.cf are."],
        ["directory", "d", None, "Where the embedded default keeps everything (default: ~/.local/share/mailer)."],
        [
            "layout",
            None,
            "",
            "single: all in one process; processes: only master keeps root's rights; auto: processes if started as root,"
            " where that can work (default: the parameter mailer_layout, which is auto).",
        ],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["overrides"] = {}

    def opt_override(self, text: str) -> None:
        """Override a main.cf parameter: name=value. May be given several times."""
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise usage.UsageError(f"--override takes name=value, not {text!r}")
        self["overrides"][name.strip()] = value.strip()

    opt_o = opt_override

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"mailer {__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        if self["layout"] not in ("", "auto", "single", "processes"):
            raise usage.UsageError(f"--layout is auto, single or processes, not {self['layout']!r}")
        if self["config-directory"] and self["directory"]:
            raise usage.UsageError("--directory belongs to the embedded default: it goes without --config-directory")


def makeService(options: Options) -> IService:
    """Read and check the configuration; every problem is told at once, and an error ends the start here.

    :raise SystemExit: the configuration is wrong; nothing has been opened or bound.
    """
    # Imported late: `twistd --help` loads this module without a reactor chosen.
    from twisted.internet import reactor

    from mailer.master import launch

    directory: Any = options["config-directory"]
    try:
        return launch.service(
            reactor,
            Path(directory) if directory else None,
            embedded=Path(options["directory"]) if options["directory"] else None,
            overrides=options["overrides"],
            layout=options["layout"],
        )
    except launch.CannotStart as error:
        sys.exit(f"mailer: {error}")
