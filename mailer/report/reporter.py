"""bounce(8): makes the notices that are due and writes them to the sink.

A notice that is owed is durable when a call returns; if the sink cannot take it now, the call raises and the caller comes
again with the message still queued. Copies for the postmaster are no such promise: one that cannot be had is logged. What
is to be told is `decision`'s business, how it reads is `notice`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from mailer.interfaces.context import Context
from mailer.interfaces.report import IReporter
from mailer.message.envelope import Envelope, Recipient
from mailer.message.section import header_section
from mailer.message.status import MailError, Outcome
from mailer.net.gate import Gate
from mailer.report.decision import Decision
from mailer.report.notice import Notice, Original, Site, closing, opening
from mailer.report.original import message_id
from mailer.report.templates import load

__all__ = ["Reporter"]

_UNFILTERED = frozenset(("no_header_body_checks", "no_milters"))


@implementer(IReporter)
class Reporter:
    """:param context: of the bounce service; ``sink`` takes the notices.
    :raise ConfigError: the templates cannot be used."""

    def __init__(self, context: Context) -> None:
        settings = context.settings
        self._log = context.log
        self._seconds = context.seconds
        self._sink = context.sink
        self._decide = Decision(settings, load(settings, context.log.warning))
        name, address = "Mail Delivery System", f"MAILER-DAEMON@{settings.myorigin}"
        obsolete = settings.header_from_format == "obsolete"
        daemon = f"{address} ({name})" if obsolete else f"{name} <{address}>"
        self._site = Site(settings.myhostname, settings.mail_name, daemon)
        self._threaded = settings.enable_threaded_bounces
        self._eight_bit = settings.smtputf8_enable
        filtered = "bounce" in settings.internal_mail_filter_classes
        self._overrides: frozenset[str] = frozenset() if filtered else _UNFILTERED

    async def bounce(self, entry: Any, results: Sequence[tuple[Recipient, Outcome]]) -> None:
        """See IReporter."""
        if results and self._decide.ends_here(entry.envelope.sender):
            self._log.warning(f"{entry.queue_id}: undeliverable postmaster notification discarded")
            return
        await self._send(entry, self._decide.failed(entry, results), results)

    async def delayed(self, entry: Any, results: Sequence[tuple[Recipient, Outcome]]) -> None:
        """See IReporter."""
        if results and self._decide.ends_here(entry.envelope.sender):
            self._log.warning(f"{entry.queue_id}: undeliverable postmaster notification discarded")
            return
        await self._send(entry, self._decide.delayed(entry, results))

    async def succeeded(self, entry: Any, results: Sequence[tuple[Recipient, Outcome]]) -> None:
        """See IReporter."""
        if self._decide.ends_here(entry.envelope.sender):
            self._log.info(f"{entry.queue_id}: not sending trace/success notification for double-bounce message")
            return
        await self._send(entry, self._decide.succeeded(entry, results))

    async def _send(
        self, entry: Any, notices: Sequence[Notice], failures: Sequence[tuple[Recipient, Outcome]] = ()
    ) -> None:
        """:param failures: what the postmaster is told when nobody takes the sender's notice."""
        if not notices:
            return
        original = await self._original(entry)
        for notice in notices:
            # A double bounce is the last word on a message, so it is owed; copies are not.
            copy = notice.postmaster and bool(entry.envelope.sender)
            try:
                await self._submit(entry, notice, original)
            except MailError as error:
                if not (copy or error.reply.permanent):
                    raise
                self._log.warning(f"{entry.queue_id}: {notice.kind} refused: {error}")
                if failures and not notice.postmaster:
                    await self._fall_back(entry, self._decide.undeliverable_report(failures), original)

    async def _fall_back(self, entry: Any, notice: Notice, original: Original) -> None:
        """The sender's notice will never be taken: the postmaster gets a small one, or the log has the last word."""
        try:
            await self._submit(entry, notice, original)
        except MailError as error:
            if not error.reply.permanent:
                raise
            self._log.warning(f"{entry.queue_id}: undeliverable postmaster notification discarded: {error}")

    async def _original(self, entry: Any) -> Original:
        envelope = entry.envelope
        encoding = {"8BITMIME": "8bit", "7BIT": "7bit"}.get(envelope.body, "")
        return Original(
            entry.queue_id,
            envelope.sender or f"MAILER-DAEMON@{self._site.host}",
            entry.arrival,
            envelope.envid,
            await message_id(entry.content) if self._threaded else "",
            envelope.smtputf8,
            "8bit" if self._eight_bit else encoding,
        )

    async def _submit(self, entry: Any, notice: Notice, original: Original) -> None:
        now = self._seconds()
        if notice.template.charset.lower() != "us-ascii" and not notice.template.text.isascii():
            original = replace(original, encoding="8bit")
        gate = Gate()
        writer = self._sink.open(self._envelope(notice, original, now), gate)
        try:
            writer.recipient(Recipient(notice.recipient))
            writer.write(opening(notice, original, self._site, writer.queue_id, now, self._thread(original)))
            pieces = entry.content.chunks() if notice.full else header_section(entry.content)
            async for piece in pieces:
                writer.write(piece)
                await gate.opened()
            writer.write(closing(original, self._site, now))
            await writer.commit()
        except BaseException:
            writer.abort()
            raise
        self._log.info(f"{entry.queue_id}: {notice.kind}: {writer.queue_id}")

    def _envelope(self, notice: Notice, original: Original, now: float) -> Envelope:
        return Envelope(
            sender=notice.sender,
            source="notify",
            context="local",
            arrival=now,
            body="8BITMIME" if original.encoding == "8bit" else original.encoding.upper(),
            smtputf8=original.international,
            overrides=self._overrides,
        )

    @staticmethod
    def _thread(original: Original) -> tuple[str, ...]:
        found = original.message_id
        return (f"References: {found}", f"In-Reply-To: {found}") if found else ()
