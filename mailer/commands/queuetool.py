"""What postqueue, postsuper and postcat share: options, complaints, and getting at the queue as its owner."""

from __future__ import annotations

import getopt
import os
import sqlite3
import sys
import time
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

from mailer.commands.instance import Instance
from mailer.commands.toollog import tool_log
from mailer.commands.waiting import OccasionalReactor, WaitsForNothing
from mailer.config.errors import ConfigError
from mailer.interfaces.context import Context
from mailer.log.maillog import ServiceLog
from mailer.queue.direct import DirectQueue
from mailer.queue.schema import SchemaError
from mailer.tables.opening import Tables

__all__ = ["Fatal", "Tool"]


class Fatal(Exception):
    """The tool cannot go on; the text says why. ``status`` is the exit code, None for the tool's ordinary one."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class Tool:
    """One run of a command.

    :param program: its name, which stands before every complaint.
    :param usage: what it says about wrong options. :param failure: its exit code when it cannot go on.
    """

    def __init__(self, program: str, usage: str, failure: int) -> None:
        self.program = program
        self.usage = usage
        self.failure = failure
        self._instance: Instance | None = None
        self._reactor = OccasionalReactor()
        self._log: ServiceLog | None = None

    # -- the command line

    def options(self, arguments: list[str], letters: str) -> tuple[list[tuple[str, str]], list[str]]:
        """Options and words in order, options anywhere. :raise Fatal: with the usage."""
        try:
            return getopt.gnu_getopt(arguments, letters)
        except getopt.GetoptError as error:
            if f"{error.opt}:" in letters:
                self.say(f"option requires an argument -- '{error.opt}'")
            else:
                self.say(f"invalid option -- '{error.opt}'")
            raise self.misused() from None

    def misused(self) -> Fatal:
        return Fatal(f"usage: {self.usage}")

    # -- what it says

    def say(self, text: str) -> None:
        print(f"{self.program}: {text}", file=sys.stderr, flush=True)

    def info(self, text: str) -> None:
        self.say(text)
        if self._log is not None:
            self._log.info(text)

    def warn(self, text: str) -> None:
        self.say(f"warning: {text}")
        if self._log is not None:
            self._log.warning(text)

    def give_up(self, error: Fatal) -> int:
        """Say why. :return: the exit code."""
        self.say(f"fatal: {error}")
        if self._log is not None:
            self._log.fatal(str(error))
        return self.failure if error.status is None else error.status

    # -- the instance

    def configure(self, directory: str | None) -> None:
        """Read main.cf. :raise Fatal:"""
        self._instance = Instance.open(directory, Fatal)

    @property
    def settings(self) -> Any:
        assert self._instance is not None
        return self._instance.settings

    @property
    def maildrop(self) -> str:
        assert self._instance is not None
        return self._instance.maildrop

    def open_log(self) -> None:
        """Say to the mail log as well what goes to the terminal."""
        try:
            self._log = tool_log(self.settings, self.program)
        except ConfigError as error:
            raise Fatal(str(error)) from error

    def context(self) -> Context:
        """For match lists and their tables."""
        log = SimpleNamespace(warning=self.warn, info=self.info, error=self.warn)
        context = Context(settings=self.settings, reactor=self._reactor, seconds=time.time, log=log, name=self.program)
        tables = Tables(context)
        return Context(
            settings=self.settings,
            reactor=context.reactor,
            seconds=time.time,
            log=log,
            name=self.program,
            tables=tables,
        )

    def finish(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of a lookup. :raise Fatal: it needs what no command has."""
        try:
            return self._reactor.finish(coroutine)
        except WaitsForNothing:
            raise Fatal("a table that has to wait cannot be used by this command") from None

    # -- the queue

    def owns_queue(self) -> bool:
        """Whether the caller may do to the queue what the superuser may: he is root, or the queue is his."""
        try:
            return os.geteuid() in (0, self._owner().st_uid)
        except OSError:
            return os.geteuid() == 0

    def become_owner(self) -> None:
        """Root takes the identity of the queue's owner, so that nobody can use it to touch files that are not his."""
        if os.geteuid() == 0 and os.path.isdir(self.settings.queue_directory):
            owner = self._owner()
            if owner.st_uid != 0:
                os.setgroups([])
                os.setegid(owner.st_gid)
                os.seteuid(owner.st_uid)

    def _owner(self) -> os.stat_result:
        directory: str = self.settings.queue_directory
        try:
            return os.stat(os.path.join(directory, "mailer"))
        except FileNotFoundError:  # no server has run here yet
            return os.stat(directory)

    def open_queue(self) -> DirectQueue:
        """:raise NoQueue: :raise PermissionError: :raise Fatal: it cannot be used."""
        try:
            return DirectQueue(self.settings.queue_directory)
        except PermissionError:
            raise
        except (SchemaError, OSError, sqlite3.Error) as error:
            raise Fatal(f"mail queue in {self.settings.queue_directory}: {error}") from error
