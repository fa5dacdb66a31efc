"""The start, read from top to bottom: configuration, checks, plan, log, service.

Every problem is told at once. An error ends the start before anything is opened or bound; a warning is repeated in the log.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from twisted.application.service import IService

from mailer.config.check import check
from mailer.config.embedded import default_directory, establish
from mailer.config.errors import ConfigError, Problem
from mailer.config.load import Configuration, load
from mailer.interfaces.transport import ITransportFactory
from mailer.master.choice import Choice, choose
from mailer.master.maillog import buffered, destination
from mailer.master.plan import Plan, make_plan
from mailer.plugins.registry import installed

__all__ = ["CannotStart", "service"]


class CannotStart(Exception):
    """The start is refused; the text has a line for each reason."""


def service(
    reactor: Any,
    directory: Path | None,
    embedded: Path | None = None,
    overrides: Mapping[str, str] | None = None,
    errors: TextIO = sys.stderr,
    layout: str = "",
) -> IService:
    """The mail system as a Twisted service.

    :param directory: configuration directory; None for the embedded default.
    :param embedded: where the embedded default keeps everything; None for the user's data directory.
    :param overrides: main.cf settings from the command line.
    :param layout: auto, single or processes; mailer_layout if empty.
    :raise CannotStart: nothing was opened or bound.
    """
    greeting = ""
    if directory is None:
        base = embedded or default_directory()
        try:
            directory = establish(base)
        except OSError as error:
            raise CannotStart(f"{error.filename}: {error.strerror}") from error
        greeting = _greeting(base.expanduser().absolute())
    plan = read(directory, overrides)
    choice = _choose(layout, plan.configuration.settings, bool(greeting))
    if choice.warning:
        plan = dataclasses.replace(plan, problems=(*plan.problems, Problem("warning", choice.warning)))
    for problem in plan.problems:
        print(f"mailer: warning: {problem}", file=errors)
    target, where = _destination(plan)
    log = buffered(target, reactor, time.time, lambda text: print(text, file=errors))
    if greeting:
        print(greeting, file=errors)
    print(f"mailer: configuration from {directory}, mail log to {where}", file=errors)

    def again() -> Plan:
        return read(directory, overrides)

    # Only one of them is imported: master has no use for the parts that handle mail.
    if choice.owner is not None:
        from mailer.master.processes import ProcessesLayout

        return ProcessesLayout(plan, choice.owner, reactor, log, target, again)
    from mailer.master.single import SingleLayout

    return SingleLayout(plan, reactor, time.time, log, again)


def _choose(layout: str, settings: Any, embedded: bool) -> Choice:
    try:
        return choose(layout or settings.mailer_layout, settings, embedded)
    except ConfigError as error:
        raise _refusal((Problem.from_error(error),)) from error


def read(directory: Path, overrides: Mapping[str, str] | None = None) -> Plan:
    """The plan that a configuration directory asks for, with all warnings in ``plan.problems``.

    :raise CannotStart: there are errors; warnings stand with them.
    """
    try:
        configuration = load(directory, overrides=overrides)
    except ConfigError as error:
        raise CannotStart(f"error: {error}") from error
    problems = check(configuration)
    try:
        plan = _plan(configuration)
    except ConfigError as error:
        raise _refusal((*problems, Problem.from_error(error))) from error
    problems = tuple(dict.fromkeys(problems + plan.problems))
    if any(problem.severity == "error" for problem in problems):
        raise _refusal(problems)
    return dataclasses.replace(plan, problems=problems)


def _refusal(problems: tuple[Problem, ...]) -> CannotStart:
    """A line for each; what is wrong comes last, where it is seen."""
    told = sorted(dict.fromkeys(problems), key=lambda problem: problem.severity == "error")
    return CannotStart("\nmailer: ".join(f"{problem.severity}: {problem}" for problem in told))


def _plan(configuration: Configuration) -> Plan:
    registry = installed(ITransportFactory, "transport")
    plan = make_plan(configuration, registry.names(), configuration.settings.machine.addresses_of)
    plugins = tuple(Problem("warning", problem) for problem in registry.problems)
    return dataclasses.replace(plan, problems=plan.problems + plugins)


def _destination(plan: Plan) -> tuple[Any, str]:
    try:
        return destination(plan.configuration.settings)
    except ConfigError as error:
        raise CannotStart(f"error: {error}") from error


def _greeting(base: Path) -> str:
    return f"""\
mailer: running the embedded default; everything is below {base}
  SMTP      127.0.0.1:2525
  mail      {base}/mail/NAME/new for NAME@localhost, any NAME
  settings  {base}/etc/main.cf and master.cf
  send      printf 'Subject: hello\\n\\nIt works.\\n' | sendmail -C {base}/etc you@localhost
  queue     mailq -c {base}/etc"""
