"""virtual(8): mail for domains whose users are not users of this system, into the mailboxes that tables name.

virtual_mailbox_maps says where (below virtual_mailbox_base; a trailing slash means maildir), virtual_uid_maps and
virtual_gid_maps say as whom. This module knows no file: `mailbox` writes.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.deliver.hands.hands import hands_of
from mailer.deliver.hands.identity import Identity
from mailer.deliver.mailbox.deposit import Deposit, WriteFailure
from mailer.deliver.mailbox.prefix import delivery_headers
from mailer.deliver.statusfilter import filtered
from mailer.interfaces.transport import ITransport
from mailer.message.address import fold, quote
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.message.status import Fate, Outcome, TemporaryError
from mailer.tables.search import Find, find_address

__all__ = ["VirtualTransport", "build"]

_SEARCH = Find.FULL | Find.NOEXT | Find.AT_DOMAIN
#: Recipients of one message that are written at once.
_AT_ONCE = 10
_MISCONFIGURED = "mail system configuration error"


class _Unknown(Exception):
    """The recipient has no mailbox."""


@implementer(ITransport)
class VirtualTransport:
    """:param hands: writes mailboxes."""

    def __init__(self, context: Any, hands: Any) -> None:
        settings, tables = context.settings, context.tables
        self._log = context.log
        self._hands = hands
        self._base = settings.virtual_mailbox_base
        if self._base and not self._base.startswith("/"):
            problem = f"do not specify relative pathname: virtual_mailbox_base = {self._base}"
            raise ConfigError(problem, "write an absolute path")
        self._mailboxes = tables.maps(settings.virtual_mailbox_maps, "virtual_mailbox_maps")
        accounts = tables.secured()
        self._uids = accounts.maps(settings.virtual_uid_maps, "virtual_uid_maps")
        self._gids = accounts.maps(settings.virtual_gid_maps, "virtual_gid_maps")
        self._minimum_uid = settings.virtual_minimum_uid
        self._limit = _limit(settings)
        self._delimiters = settings.recipient_delimiter
        self._show_original = settings.enable_original_recipient
        self._host = socket.gethostname()
        self._mbox = {
            "locks": settings.virtual_mailbox_lock,
            "lock_attempts": settings.deliver_lock_attempts,
            "lock_delay": settings.deliver_lock_delay,
            "stale_lock_time": settings.stale_lock_time,
            "strict_owner": settings.strict_mailbox_ownership,
        }

    async def deliver(self, request: DeliveryRequest, outcomes: Any) -> None:
        """See ITransport."""
        if len(request.recipients) == 1:
            await self._tell(request, request.recipients[0], outcomes)
            return
        turns = DeferredSemaphore(_AT_ONCE)

        def begin(recipient: Recipient) -> Deferred[None]:
            return Deferred.fromCoroutine(self._tell(request, recipient, outcomes))

        await gatherResults([turns.run(begin, recipient) for recipient in request.recipients], consumeErrors=True)

    async def _tell(self, request: DeliveryRequest, recipient: Recipient, outcomes: Any) -> None:
        try:
            outcome = await self._attempt(request, recipient)
        except _Unknown:
            fate = Fate.UNDELIVERABLE if request.probe else Fate.BOUNCED
            outcome = Outcome(fate, "5.1.1", f'unknown user: "{quote(fold(recipient.address))}"', "virtual")
        except TemporaryError as error:
            fate = Fate.UNDELIVERABLE if request.probe else Fate.DEFERRED
            outcome = Outcome(fate, error.reply.enhanced, error.reply.text, "virtual")
        outcomes.tell(recipient, outcome)

    async def _attempt(self, request: DeliveryRequest, recipient: Recipient) -> Outcome:
        user = fold(recipient.address)
        path = await self._mailbox(user)
        uid = await self._number(self._uids, "uid", user, self._minimum_uid)
        gid = await self._number(self._gids, "gid", user, 1)
        what = "maildir" if path.endswith("/") else "mailbox"
        if request.probe:
            return Outcome(Fate.DELIVERABLE, "2.0.0", f"delivers to {what}", "virtual")
        sender = request.envelope.sender
        original = (recipient.original or recipient.address) if self._show_original else ""
        head = delivery_headers(sender, original, recipient.address)
        deposit = Deposit(path, head, quote(sender), self._host, self._limit, **self._mbox)
        try:
            await self._hands.deliver(Identity(uid, gid), deposit, request.content)
        except WriteFailure as failure:
            return self._failed(deposit, Identity(uid, gid), failure)
        return Outcome(Fate.SENT, "2.0.0", f"delivered to {what}", "virtual")

    def _failed(self, deposit: Deposit, identity: Identity, failure: WriteFailure) -> Outcome:
        status = failure.status or "4.2.0"
        fate = Fate.BOUNCED if status.startswith("5") else Fate.DEFERRED
        if not deposit.maildir:
            if failure.advice:
                self._log.warning(failure.advice)
            return Outcome(fate, status, f"delivery failed to mailbox {deposit.path}: {failure.reason}", "virtual")
        if failure.denied:
            who = f"UID/GID={identity.uid}/{identity.gid}"
            self._log.warning(f"maildir access problem for {who}: {failure.reason}")
            self._log.warning("perhaps you need to create the maildirs in advance")
        return Outcome(fate, status, f"maildir delivery failed: {failure.reason}", "virtual")

    async def _mailbox(self, user: str) -> str:
        try:
            found = await find_address(self._mailboxes, user, self._delimiters, _SEARCH)
        except TemporaryError as error:
            self._log.warning(f"table virtual_mailbox_maps: lookup {user}: Application error")
            raise TemporaryError(f"mailbox of {user}", "4.3.5", _MISCONFIGURED) from error
        if found is None:
            raise _Unknown
        path = self._base + "/" + found.value if self._base else found.value
        # Patterns may put parts of an address into a path (Postfix does not let them); they do not lead out of it.
        if "\0" in path or not path.startswith("/") or ".." in path.split("/"):
            self._log.warning(f"recipient {user}: bad mailbox path {found.value} in virtual_mailbox_maps")
            raise TemporaryError(f"mailbox of {user}", "4.3.5", _MISCONFIGURED)
        return path

    async def _number(self, table: Any, kind: str, user: str, minimum: int) -> int:
        try:
            found = await find_address(table, user, self._delimiters, _SEARCH)
        except TemporaryError:  # the table has logged it, and for this recipient comes to nothing
            found = None
        name = f"virtual_{kind}_maps"
        if found is None:
            self._log.warning(f"recipient {user}: not found in {name}")
        elif not (found.value.isascii() and found.value.isdigit()) or int(found.value) < minimum:
            self._log.warning(f"recipient {user}: bad {kind} {found.value} in {name}")
        else:
            return int(found.value)
        raise TemporaryError(f"{kind} of {user}", "4.3.5", _MISCONFIGURED)

    async def stop(self) -> None:
        """See ITransport."""
        await self._hands.stop()


def _limit(settings: Any) -> int:
    """virtual_mailbox_limit, which has to leave room for one message. :raise ConfigError:"""
    limit, message = settings.virtual_mailbox_limit, settings.message_size_limit
    name, other = "virtual_mailbox_limit", "message_size_limit"
    if limit and not message:
        raise ConfigError(
            f"configuration error: {name} is limited but {other} is unlimited", f"set {other}, or {name} = 0"
        )
    if limit and limit < message:
        raise ConfigError(f"configuration error: {name} is smaller than {other}", f"at least {message}")
    return int(limit)


def build(argument: Sequence[str], context: Any) -> Any:
    """The ``virtual`` command of master.cf: an ITransport. :raise ConfigError:"""
    if argument:
        raise ConfigError(f"virtual: unexpected command-line argument: {argument[0]}")
    settings = context.settings
    transport = VirtualTransport(context, hands_of(context))
    return filtered(transport, settings.virtual_delivery_status_filter, "virtual_delivery_status_filter", context)
