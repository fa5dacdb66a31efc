"""The last step before the queue: who gets the message.

Recipients are completed and mapped, expanded by virtual_alias_maps, joined by the automatic copies (always_bcc,
sender_bcc_maps, recipient_bcc_maps, BCC actions), and told to the queue once each. Where tables have to be asked, that
begins with the content, so that it overlaps with the transfer and a refusal comes before anything is looked at; actions of
checks, and recipients told late, have their turn at ``commit``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mailer.addressing.lookup import AddressMap
from mailer.addressing.mapping import EXPANSION_ERROR
from mailer.clean.addresses import AddressRules, not_written
from mailer.clean.passage import Passage, Writer
from mailer.clean.smtputf8 import Utf8Detection
from mailer.message.address import fold, quote
from mailer.message.envelope import Notify, Recipient
from mailer.message.status import PermanentError, TemporaryError

__all__ = ["RecipientStep"]

_EXPANDED = Notify.SUCCESS


class RecipientStep:
    """The rules for all messages of a service."""

    def __init__(self, settings: Any, addressing: Any, rules: AddressRules, detection: Utf8Detection) -> None:
        self.rules = rules
        self.detection = detection
        self.mapper = addressing.mapper
        self.empty = rules.complete(settings.empty_address_recipient)
        self.always_bcc = settings.always_bcc
        self.keep_original = settings.enable_original_recipient
        self.duplicate_limit = settings.duplicate_filter_limit
        # Nothing to ask and nobody to add: recipients only need to be complete.
        self.plain = (
            rules.plain_recipients
            and not self.mapper.virtual_aliases
            and not self.mapper.sender_bcc
            and not self.mapper.recipient_bcc
            and not self.always_bcc
        )

    def open(self, passage: Passage, writer: Writer) -> Writer:
        return _RecipientWriter(self, passage, writer)


class _RecipientWriter:
    __slots__ = ("_detection", "_distribution", "_empty", "_next", "_passage", "queue_id", "write")

    def __init__(self, step: RecipientStep, passage: Passage, writer: Writer) -> None:
        self._passage = passage
        self._next = writer
        self._detection = step.detection
        self._empty = step.empty
        self._distribution = _Distribution(step, passage)
        if not step.plain:
            passage.prepare = self._distribution.advance
        self.queue_id = writer.queue_id
        self.write = writer.write

    def recipient(self, recipient: Recipient) -> None:
        if not recipient.address:  # nobody's address; somebody is to see what comes of it
            empty = self._empty
            recipient = replace(recipient, address=empty, original=empty)
        self._passage.recipients.append(recipient)

    async def commit(self) -> str:
        passage, envelope = self._passage, self._passage.envelope
        if envelope.discard:
            self._next.abort()
            return ""
        if passage.refusal is not None:
            raise passage.refusal
        recipients = await self._distribution.settle()
        for recipient in recipients:
            self._next.recipient(recipient)
        envelope.sender = await passage.sender()
        if self._detection.applies(envelope):
            addresses = [envelope.sender, *[recipient.address for recipient in recipients]]
            envelope.smtputf8 = not all(address.isascii() for address in addresses)
        return await self._next.commit()

    def abort(self) -> None:
        self._next.abort()


class _Distribution:
    """The recipients of one message. ``advance`` works on those that are known so far, ``settle`` finishes."""

    __slots__ = ("_done", "_passage", "_seen", "_settled", "_step")

    def __init__(self, step: RecipientStep, passage: Passage) -> None:
        self._step = step
        self._passage = passage
        self._done = -1  # how many of the passage's recipients; -1: not even the sender's copy
        self._settled: list[Recipient] = []
        self._seen: set[tuple[str, int, str, str]] = set()

    async def settle(self) -> list[Recipient]:
        """:raise MailError: nobody is left, a limit was hit, or a table cannot tell now."""
        step, passage = self._step, self._passage
        envelope = passage.envelope
        if step.plain:
            self._complete()
        else:
            await self.advance()
        if step.always_bcc and passage.copied:
            await self._copy(step.always_bcc)
        for address in envelope.bcc:
            await self._copy(address)
        if not self._settled:
            raise PermanentError("no recipients specified", "5.1.0")
        if envelope.redirect:
            # As Postfix's queue manager does it: one recipient is left, the first, under the new address.
            return [replace(self._settled[0], address=step.rules.complete(envelope.redirect))]
        return self._settled

    def _complete(self) -> None:
        complete = self._step.rules.complete
        for recipient in self._passage.recipients:
            address = complete(recipient.address)
            self._name_original(recipient, address)
            self._add(recipient, address, recipient.notify)

    async def advance(self) -> None:
        """:raise MailError: as `settle`."""
        step, passage = self._step, self._passage
        sender = await passage.sender()
        if self._done < 0:
            self._done = 0
            if passage.copied and sender:
                await self._copy_for(step.mapper.sender_bcc, sender)
        while self._done < len(passage.recipients):
            recipient = passage.recipients[self._done]
            self._done += 1
            address = await step.rules.envelope_recipient(recipient.address, passage)
            self._name_original(recipient, address)
            await self._expand(recipient, address)
            if passage.copied:
                await self._copy_for(step.mapper.recipient_bcc, address)

    def _name_original(self, recipient: Recipient, address: str) -> None:
        """Reports of mail submitted locally, and of our own notices, name the complete address; those of SMTP clients' what
        they had said."""
        if not recipient.orcpt and address and self._passage.envelope.source in ("local", "notify"):
            recipient.orcpt = ("rfc822;" if address.isascii() else "utf-8;") + quote(address)

    async def _expand(self, recipient: Recipient, address: str) -> None:
        mapper, passage = self._step.mapper, self._passage
        if not mapper.virtual_aliases or not passage.mapped or not address:
            self._add(recipient, address, recipient.notify)
            return
        try:
            results = await mapper.virtual(address, passage.queue_id)
        except TemporaryError as error:
            if error.reply.enhanced == EXPANSION_ERROR:
                raise TemporaryError("", EXPANSION_ERROR, error.reply.text) from error
            raise not_written() from error
        if len(results) > 1 and passage.envelope.probe == "address":
            # Each member's fate is its own; the address verification service counts a list as deliverable.
            _tell_of_list(passage, address)
            return
        notify = recipient.notify
        if notify & _EXPANDED and (len(results) > 1 or results[0] != address):
            # RFC 3461 5.2.7.3: success is now, for the alias; what it stands for does not report it.
            passage.envelope.expanded.append([address, recipient.orcpt, recipient.original or recipient.address])
            notify = notify & ~_EXPANDED or Notify.NEVER
        for result in results:
            self._add(recipient, result, notify)

    async def _copy_for(self, maps: AddressMap, address: str) -> None:
        """Add the copy that a table asks for."""
        if not maps:
            return
        try:
            copy = await maps.find(address)
        except TemporaryError as error:
            passage = self._passage
            passage.log.warning(
                f"{passage.queue_id}: {maps.title} map lookup problem -- message not accepted, try again later"
            )
            raise not_written() from error
        if copy:
            await self._copy(copy)

    async def _copy(self, address: str) -> None:
        """Add a recipient that nobody is told about."""
        rules, passage = self._step.rules, self._passage
        mapped = await rules.envelope_recipient(address, passage)
        await self._expand(Recipient(mapped, mapped, Notify.NEVER), mapped)

    def _add(self, recipient: Recipient, address: str, notify: Notify) -> None:
        step = self._step
        original = recipient.original or recipient.address
        # Unless the original recipient matters, two ways to one mailbox are one.
        origin = (fold(recipient.orcpt), int(notify), fold(original)) if step.keep_original else ("", int(notify), "")
        key = (*origin, fold(address))
        if key in self._seen:
            return
        if not step.duplicate_limit or len(self._seen) < step.duplicate_limit:
            self._seen.add(key)
        if address != recipient.address or notify != recipient.notify or original != recipient.original:
            recipient = replace(recipient, address=address, notify=notify, original=original)
        self._settled.append(recipient)


def _tell_of_list(passage: Passage, address: str) -> None:
    """An address probe ends here."""
    passage.envelope.discard = "aliased to multiple recipients"
    passage.log.info(
        f"{passage.queue_id}: to=<{quote(address)}>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=deliverable"
        f" ({passage.envelope.discard})"
    )
