"""``|command`` and mailbox_command: with or without a shell, what the command is told, and what its end means."""

from __future__ import annotations

import re
import shutil
import time
from typing import Any

from mailer.deliver.command.command import Command
from mailer.deliver.command.environment import PATH
from mailer.deliver.command.verdict import diagnostic, verdict
from mailer.deliver.hands.identity import Identity, unprivileged
from mailer.deliver.local.names import Names, clean, expanded
from mailer.deliver.local.run import Run
from mailer.deliver.local.settings import LocalSettings
from mailer.deliver.local.step import Step
from mailer.deliver.local.users import User
from mailer.deliver.mailbox.prefix import delivery_headers
from mailer.message.address import quote
from mailer.message.status import TemporaryError

__all__ = ["Commands"]

_PLAIN = re.compile(r"[0-9!@%\-_=+:,./a-zA-Z \t\r\n]+").fullmatch


class Commands:
    """:param hands: runs commands."""

    def __init__(self, settings: LocalSettings, hands: Any, log: Any) -> None:
        self._settings = settings
        self._hands = hands
        self._log = log

    async def deliver(self, run: Run, step: Step, user: User | None, rights: Identity, command: str) -> None:
        """:param user: whose mailbox this is, None for a command of an alias."""
        rights = unprivileged(rights, self._settings.default_rights)
        if run.again("command", rights.uid, command):
            return
        if run.request.probe:
            run.would(step.address, f"delivers to command: {command}")
            return
        names = step.names(self._settings.delimiters, self._settings.owner_special, user)
        try:
            result = await self._hands.run(rights, self._command(run, step, names, command), run.request.content)
        except TemporaryError as error:
            run.failed(step.address, error.reply.enhanced, error.reply.text)
            return
        if result.failure:
            self._log.fatal(result.failure)
        if result.expired:
            self._log.warning(f"pipe_command_{result.expired.replace(' ', '_')}: {result.expired} time limit exceeded")
        status, text = verdict(command, result, "local")
        if status == "2.0.0" and not (result.code or result.signal):
            run.done(step.address, f"delivered to command: {command}")
        elif status.startswith("2"):
            self._log.warning(f'bounce_append: ignoring dsn code "{status}"')
            run.failed(step.address, "5.0.0", text, diagnostic(result, text))
        else:
            run.failed(step.address, status, text, diagnostic(result, text))

    def _command(self, run: Run, step: Step, names: Names, command: str) -> Command:
        settings, envelope = self._settings, run.request.envelope
        directory = ""
        if settings.command_directory:
            directory, _ = expanded(settings.command_directory, names, settings.command_directory_filter)
        sender = quote(envelope.sender)
        original = run.original if settings.show_original else ""
        delivered = (run.recipient if settings.frozen else step).address if "command" in settings.prepend else ""
        head = f"From {sender or 'MAILER-DAEMON'}  {time.asctime()}\n"
        return Command(
            self._arguments(command),
            self._environment(run, names),
            directory or settings.queue_directory,
            not directory,
            settings.time_limit,
            head=head + delivery_headers(envelope.sender, original, delivered),
        )

    def _arguments(self, command: str) -> tuple[str, ...]:
        """Directly where that means the same: no magic characters, and no built-in of the shell."""
        shell = self._settings.command_shell
        if shell:
            return (*shell.split(), "-c", command)
        words = command.split()
        if _PLAIN(command) and words and ("/" in words[0] or shutil.which(words[0], path=PATH)):
            return tuple(words)
        return "/bin/sh", "-c", command

    def _environment(self, run: Run, names: Names) -> dict[str, str]:
        envelope, client = run.request.envelope, run.request.envelope.client
        told = {
            "HOME": names.home,
            "LOGNAME": names.user,
            "USER": names.user,
            "SENDER": quote(envelope.sender),
            "RECIPIENT": names.recipient,
            "LOCAL": names.local,
            "SHELL": names.shell,
            "DOMAIN": names.domain,
            "EXTENSION": names.extension,
            "ORIGINAL_RECIPIENT": run.original,
            "CLIENT_HOSTNAME": client.name if client.address else "",
            "CLIENT_ADDRESS": client.address,
            "CLIENT_HELO": client.helo,
            "CLIENT_PROTOCOL": client.protocol,
            "SASL_METHOD": client.sasl_method,
            "SASL_SENDER": client.sasl_sender,
            "SASL_USERNAME": client.sasl_username,
        }
        allowed = self._settings.command_filter
        values = {name: clean(value, allowed) for name, value in told.items() if value or name == "SENDER"}
        return {**self._settings.environment, **values}
