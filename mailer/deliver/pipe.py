"""pipe(8): a message and its recipients to an external command, run as the user that master.cf names."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from mailer.deliver.command.command import Command
from mailer.deliver.command.environment import exported
from mailer.deliver.command.verdict import diagnostic, verdict
from mailer.deliver.hands.hands import hands_of
from mailer.deliver.loops import DeliveredTo
from mailer.deliver.pipe_arguments import NotAnAddress, UnknownMacro, expand
from mailer.deliver.pipe_settings import PipeSettings, parse
from mailer.deliver.statusfilter import filtered
from mailer.interfaces.transport import ITransport
from mailer.message.address import fold, quote
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.message.status import Fate, Outcome, TemporaryError

__all__ = ["PipeTransport", "build"]

_MISCONFIGURED = "mail system configuration error"
#: How much of a successful command's output is told.
_MOST_TOLD = 100


@implementer(ITransport)
class PipeTransport:
    """One service of master.cf.

    :param pipe: its attributes. :param hands: runs commands.
    """

    def __init__(self, context: Any, pipe: PipeSettings, hands: Any) -> None:
        settings = context.settings
        self._name = context.name
        self._log = context.log
        self._pipe = pipe
        self._hands = hands
        self._delimiters = settings.recipient_delimiter
        self._show_original = settings.enable_original_recipient
        self._environment = exported(settings)
        self._directory = pipe.directory or settings.queue_directory
        self._time_limit = settings.transport(context.name, "time_limit")

    async def deliver(self, request: DeliveryRequest, outcomes: Any) -> None:
        """See ITransport. All recipients share the command, and so their fate."""
        outcome = await self._attempt(request)
        for recipient in request.recipients:
            outcomes.tell(recipient, outcome)

    async def _attempt(self, request: DeliveryRequest) -> Outcome:
        pipe = self._pipe
        if pipe.size_limit and request.size > pipe.size_limit:
            return self._failed(request, "5.2.3", "message too large")
        if request.probe:
            return Outcome(Fate.DELIVERABLE, "2.0.0", f"delivers to command: {pipe.arguments[0]}", self._name)
        if len(request.recipients) > 1 and (flag := next((flag for flag in "DO" if flag in pipe.flags), "")):
            # A header line for one recipient.
            self._log.warning(f"pipe flag `{flag}' requires {self._name}_destination_recipient_limit = 1")
            return self._failed(request, "4.3.5", _MISCONFIGURED)
        if "D" in pipe.flags and await DeliveredTo(request.content).has(request.recipients[0].address):
            address = quote(fold(request.recipients[0].address))
            return self._failed(request, "5.4.6", f"mail forwarding loop for {address}")
        try:
            arguments = expand(pipe.arguments, pipe.flags, pipe.null_sender, self._delimiters, request)
        except (UnknownMacro, NotAnAddress) as error:
            self._log.warning(self._complaint(error))
            return self._failed(request, "4.3.5", _MISCONFIGURED)
        try:
            result = await self._hands.run(pipe.identity, self._command(arguments, request), request.content)
        except TemporaryError as error:
            return self._failed(request, error.reply.enhanced, error.reply.text)
        if result.failure:
            self._log.fatal(result.failure)
        if result.expired:
            self._log.warning(f"pipe_command_{result.expired.replace(' ', '_')}: {result.expired} time limit exceeded")
        status, text = verdict(pipe.arguments[0], result, "pipe")
        if not status.startswith("2") or result.code:
            return self._failed(request, status, text, diagnostic(result, text))
        action = "delivered" if "X" in pipe.flags else "relayed"
        told = f" ({text[:_MOST_TOLD].rstrip()})" if text else ""
        return Outcome.sent(f"delivered via {self._name} service{told}", relay=self._name, action=action)

    def _failed(self, request: DeliveryRequest, status: str, text: str, diagnostic: str = "") -> Outcome:
        """:param diagnostic: the command's own words."""
        if status.startswith("2"):
            self._log.warning(f'bounce_append: ignoring dsn code "{status}"')
            status = "5.0.0"
        if request.probe:
            return Outcome(Fate.UNDELIVERABLE, status, text, self._name)
        fate = Fate.DEFERRED if status.startswith("4") else Fate.BOUNCED
        return Outcome(fate, status, text, self._name, diagnostic=diagnostic, diagnostic_type="x-unix")

    def _complaint(self, error: Exception) -> str:
        if isinstance(error, NotAnAddress):
            return f"no @ in recipient address: {error}"
        return f'file master.cf: service {self._name}: unknown macro name: "{error}"'

    def _command(self, arguments: tuple[str, ...], request: DeliveryRequest) -> Command:
        pipe = self._pipe
        return Command(
            arguments,
            self._environment,
            self._directory,
            not pipe.directory,
            self._time_limit,
            head=self._head(request.envelope.sender or pipe.null_sender, request.recipients[0]),
            tail="\n" if "B" in pipe.flags else "",
            mark_from=">" in pipe.flags,
            dots="." in pipe.flags,
            end_of_line=pipe.end_of_line,
        )

    def _head(self, sender: str, recipient: Recipient) -> str:
        flags = self._pipe.flags
        lines = []
        if "F" in flags:
            lines.append(f"From {quote(sender) or 'MAILER-DAEMON'}  {time.asctime()}\n")
        if "R" in flags:
            lines.append(f"Return-Path: <{quote(sender)}>\n")
        if "O" in flags and self._show_original:
            lines.append(f"X-Original-To: {quote(recipient.original or recipient.address)}\n")
        if "D" in flags:
            lines.append(f"Delivered-To: {quote(recipient.address)}\n")
        return "".join(lines)

    async def stop(self) -> None:
        """See ITransport."""
        await self._hands.stop()


def build(argument: Sequence[str], context: Any) -> Any:
    """The ``pipe`` command of master.cf: an ITransport. :raise ConfigError:"""
    settings = context.settings
    pipe = parse(argument, settings, context.name)
    transport = PipeTransport(context, pipe, hands_of(context))
    return filtered(transport, settings.pipe_delivery_status_filter, "pipe_delivery_status_filter", context)
