"""``mailer explain ADDRESS``: every table asked about an address, in order, and where its mail goes; with ``--client`` also what
an SMTP client would be told, restriction by restriction.

Works whether or not a server runs, with the configuration as it is on disk. The exit status is 0 if the question could be
answered, whatever the answer; 1 if not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailer.commands.explain_address import explain_address
from mailer.commands.explain_session import Caller, explain_session
from mailer.commands.explain_text import told
from mailer.commands.instance import default_config_directory
from mailer.config.errors import ConfigError
from mailer.config.load import Configuration, load
from mailer.config.mastercf import Service
from mailer.dns.resolver import Resolver
from mailer.interfaces.context import Context
from mailer.tables.opening import Tables
from mailer.tables.traced import Trace

__all__ = ["arguments", "explain", "run"]


class _Log:
    """What would be logged is part of the answer."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)

    def warning(self, text: str) -> None:
        self.lines.append(f"warning: {text}")

    def error(self, text: str) -> None:
        self.lines.append(f"error: {text}")

    fatal = panic = error


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", nargs="?", help="the recipient to explain")
    parser.add_argument("--sender", default="", help="the envelope sender (default: the null sender)")
    parser.add_argument("--client", metavar="IP", help="show what this client would be told")
    parser.add_argument("--client-name", default="", metavar="NAME", help="its name; without it the DNS is asked")
    parser.add_argument("--helo", default="", metavar="NAME", help="what it says in EHLO")
    parser.add_argument("--login", default="", help="as whom it has logged in")
    parser.add_argument("--recipient", action="append", default=[], help="a recipient; may stand several times")
    parser.add_argument("--service", default="", help="the SMTP service in master.cf (default: the first)")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(options: argparse.Namespace) -> int:
    from twisted.internet import reactor  # here, because only this subcommand needs one

    loop: Any = reactor
    if not options.address and not options.recipient:
        print("mailer explain: need an address, or --recipient", file=sys.stderr)
        return 1
    results: list[Any] = []
    asked = Deferred.fromCoroutine(explain(options, loop))
    asked.addBoth(results.append)
    asked.addBoth(lambda _: loop.callWhenRunning(loop.stop))
    loop.run()
    if isinstance(results[0], Failure):
        failure = results[0]
        if failure.check(ConfigError, OSError):
            print(f"mailer: fatal: {failure.getErrorMessage()}", file=sys.stderr)
            return 1
        failure.raiseException()
    if options.json:
        print(json.dumps(results[0], indent=2, ensure_ascii=False))
    else:
        print("\n".join(told(results[0])))
    return 0


async def explain(options: argparse.Namespace, reactor: Any) -> dict[str, Any]:
    """The answers as plain data: ``address`` and ``session``, as far as they are asked for, and ``log``.

    :raise ConfigError, OSError: the configuration cannot be used."""
    configuration = load(options.config_directory or default_config_directory())
    trace, log = Trace(time.perf_counter), _Log()
    answer: dict[str, Any] = {"configuration": str(configuration.directory)}
    opened: list[Tables] = []

    def context(settings: Any, name: str) -> Context:
        made = Context(settings, reactor, time.time, log, name, dns=Resolver(reactor))
        tables = Tables(made, trace=trace)
        opened.append(tables)
        return replace(made, tables=tables)

    try:
        for address in [options.address] if options.address else []:
            answer["address"] = await explain_address(
                address, options.sender, context(configuration.settings, "cleanup"), trace
            )
        if options.client:
            service = _smtpd(configuration, options.service)
            recipients = [*options.recipient, *([options.address] if options.address else [])]
            caller = Caller(
                options.client, options.client_name, options.helo, options.login, options.sender, recipients
            )
            smtpd = context(configuration.for_service(service), service.name)
            answer["session"] = await explain_session(caller, smtpd, trace)
    finally:
        for tables in opened:
            tables.close()
    answer["log"] = list(dict.fromkeys(log.lines))
    return answer


def _smtpd(configuration: Configuration, name: str) -> Service:
    """:raise ConfigError: master.cf has no such service."""
    for service in configuration.services:
        if service.command.rpartition("/")[2] == "smtpd" and name in ("", service.name):
            return service
    raise ConfigError(f"master.cf has no SMTP service{f' named {name}' if name else ''}")
