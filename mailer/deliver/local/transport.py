"""The local transport: for each recipient alias, forwarding file, mailbox, in this order, and what to do with the unknown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.deliver.hands.hands import hands_of
from mailer.deliver.local.aliases import Aliases
from mailer.deliver.local.commands import Commands
from mailer.deliver.local.expansion import Expansion
from mailer.deliver.local.forwarding import Forwarding
from mailer.deliver.local.mailboxes import Mailboxes
from mailer.deliver.local.names import Names, expanded
from mailer.deliver.local.passing import Passing
from mailer.deliver.local.run import Run
from mailer.deliver.local.settings import local_settings
from mailer.deliver.local.spool import Spool
from mailer.deliver.local.step import Step
from mailer.deliver.local.users import User, Users
from mailer.deliver.loops import DeliveredTo
from mailer.deliver.statusfilter import filtered
from mailer.interfaces.transport import ITransport
from mailer.message.address import fold, quote
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.message.status import MailError, TemporaryError

__all__ = ["LocalTransport", "build"]

#: Names that mail systems have to know; without an alias their mail is thrown away rather than bounced.
_REQUIRED = ("postmaster", "mailer-daemon")


@implementer(ITransport)
class LocalTransport:
    """:param hands: does things in users' rights. :param users: finds them. :param spool: knows the common directory."""

    def __init__(self, context: Any, hands: Any, users: Any, spool: Any) -> None:
        settings = context.settings
        own = self._settings = local_settings(settings)
        self._name = context.name
        self._log = context.log
        self._hands = hands
        self._users = users
        self._most_seen = settings.duplicate_filter_limit
        secured = context.tables.secured()
        self._command_maps = secured.maps(settings.mailbox_command_maps, "mailbox_command_maps")
        self._mailbox_transports = context.tables.maps(settings.mailbox_transport_maps, "mailbox_transport_maps")
        self._fallback_transports = context.tables.maps(settings.fallback_transport_maps, "fallback_transport_maps")
        self._addressing = context.addressing
        self._passing = Passing(context.transports, context.log)
        self._commands = Commands(own, hands, context.log)
        self._mailboxes = Mailboxes(own, hands, spool, context.log)
        self._forwarding = Forwarding(context, "forward" in own.prepend)
        aliases = Aliases(settings.alias_maps, secured)
        parts = (self._commands, self._mailboxes)
        self._expansion = Expansion(
            own, aliases, context.addressing, hands, parts, self._local, context.name, context.log
        )

    async def deliver(self, request: DeliveryRequest, outcomes: Any) -> None:
        """See ITransport."""
        delivered = DeliveredTo(request.content)
        for recipient in request.recipients:
            run = Run(request, recipient, delivered, self._most_seen)
            await self._attempt(run, recipient)
            run.tell(outcomes)

    async def _attempt(self, run: Run, recipient: Recipient) -> None:
        address = recipient.address
        try:
            await self._local(run, Step(address))
            await self._forwarding.send(run)
        except TemporaryError as error:
            run.failed(address, error.reply.enhanced, error.reply.text)
        except MailError as error:
            run.failed(address, error.reply.enhanced, error.reply.text)

    async def _local(self, run: Run, step: Step) -> None:
        """Deliver to a local address."""
        if await run.delivered.has(step.address):
            text = f"mail forwarding loop for {quote(step.address)}"
            run.failed(step.address, "5.4.6", text)
            return
        settings = self._settings
        names = step.names(settings.delimiters, settings.owner_special)
        extension = names.delimiter + names.extension if names.extension else ""
        if not step.direct and await self._aliased(run, step, names, extension):
            return
        user = await self._users.find(names.user)
        if user is not None and not step.direct:
            if settings.require_home and not await self._at_home(run, step, user):
                return
            if await self._expansion.forward(run, step, user, extension):
                return
        await self._mailbox(run, step, names, user)

    async def _aliased(self, run: Run, step: Step, names: Names, extension: str) -> bool:
        if await self._expansion.alias(run, step, names.local, ""):
            return True
        return bool(extension) and await self._expansion.alias(run, step, names.user, extension)

    async def _at_home(self, run: Run, step: Step, user: User) -> bool:
        """Whether the home directory is there; else mail waits for it (require_home_directory)."""
        found = await self._hands.read(user.identity, user.home)
        if found.errno:
            why = f"cannot access home directory {user.home}: {os.strerror(found.errno)}"
            run.failed(step.address, "4.3.0", why)
        return not found.errno

    async def _mailbox(self, run: Run, step: Step, names: Names, user: User | None) -> None:
        way = await self._mailbox_transports.lookup(names.user) or self._settings.mailbox_transport
        if way:
            await self._passing.deliver(run, step.address, way)
        elif user is None:
            await self._unknown(run, step, names)
        elif not run.again("mailbox", user.name):
            command = await self._command_maps.lookup(names.user) or self._settings.mailbox_command
            if command:
                await self._commands.deliver(run, step, user, user.identity, command)
            else:
                await self._mailboxes.own(run, step, user)

    async def _unknown(self, run: Run, step: Step, names: Names) -> None:
        settings = self._settings
        way = await self._fallback_transports.lookup(names.user) or settings.fallback_transport
        if way:
            await self._passing.deliver(run, step.address, way)
        elif settings.luser_relay and not step.relayed:
            await self._relay(run, step, names)
        elif names.user in _REQUIRED:
            self._log.warning(f"required alias not found: {names.user}")
            run.done(step.address, "discarded")
        else:
            run.failed(step.address, "5.1.1", f'unknown user: "{names.user}"')

    async def _relay(self, run: Run, step: Step, names: Names) -> None:
        """luser_relay: one address for all that nobody here is called."""
        text, _ = expanded(self._settings.luser_relay, names, self._settings.forward_filter)
        address = await self._addressing.rewrite(text, "local")
        way = await self._addressing.resolve(run.request.envelope.sender, address)
        if way.transport == self._name and fold(address) != fold(step.address):
            await self._local(run, replace(step, address=address, level=step.level + 1, relayed=True))
        elif way.transport == self._name:
            run.failed(step.address, "5.1.1", f'unknown user: "{names.user}"')
        else:
            run.forwards.setdefault(step.owner, []).append(address)

    async def stop(self) -> None:
        """See ITransport."""
        await self._hands.stop()


def build(argument: Sequence[str], context: Any) -> Any:
    """The ``local`` command of master.cf: an ITransport. :raise ConfigError:"""
    if argument:
        raise ConfigError(f"local: unexpected command-line argument: {argument[0]}")
    settings = context.settings
    hands = hands_of(context)
    spool = Spool(settings.mail_spool_directory.rstrip("/"), context.reactor, hands)
    transport = LocalTransport(context, hands, Users(context.reactor), spool)
    return filtered(transport, settings.local_delivery_status_filter, "local_delivery_status_filter", context)
