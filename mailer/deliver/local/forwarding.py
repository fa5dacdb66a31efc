"""Mail that goes on to other addresses: a new message, so that each of them has a record of its own in the queue.

It gets a Received line and, if prepend_delivered_header says so, a Delivered-To line that ends loops.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from mailer.deliver.local.run import Run
from mailer.message.address import encode, quote
from mailer.message.date import mail_date
from mailer.message.envelope import Notify, Recipient
from mailer.message.status import MailError
from mailer.net.gate import Gate

__all__ = ["Forwarding"]

_UNFILTERED = frozenset(("no_header_body_checks", "no_milters"))


class Forwarding:
    """:param prepend: whether to add Delivered-To."""

    def __init__(self, context: Any, prepend: bool) -> None:
        self._sink = context.sink
        self._seconds = context.seconds
        self._host = context.settings.myhostname
        self._mail_name = context.settings.mail_name
        self._prepend = prepend

    async def send(self, run: Run) -> None:
        """Submit what the run has collected, one message for each sender, and note what came of it."""
        address = run.recipient.address
        for owner, addresses in run.forwards.items():
            if run.request.probe:
                for each in addresses:
                    run.would(each, f"forwards to {each}", hidden=bool(owner))
                continue
            try:
                queue_id = await self._submit(run, owner, addresses)
            except MailError as error:
                run.failed(address, *_failure(error))
            else:
                run.done(address, f"forwarded as {queue_id}" if queue_id else "discarded")

    async def _submit(self, run: Run, owner: str, addresses: list[str]) -> str:
        request, now = run.request, self._seconds()
        gate = Gate()
        writer = self._sink.open(self._envelope(run, owner, now), gate)
        try:
            for address in addresses:
                writer.recipient(_recipient(run, owner, address))
            writer.write(self._head(writer.queue_id, now, run.recipient.address))
            async for piece in request.content.chunks():
                writer.write(piece)
                await gate.opened()
            queue_id: str = await writer.commit()
        except BaseException:
            writer.abort()
            raise
        return queue_id

    @staticmethod
    def _envelope(run: Run, owner: str, now: float) -> Any:
        envelope = run.request.envelope
        return replace(
            envelope,
            sender=owner or envelope.sender,
            source="forward",
            arrival=now,
            overrides=_UNFILTERED,
            hold="",
            filter="",
            redirect="",
            discard="",
            bcc=[],
            prepend=[],
            verp="",
            expanded=[],
            envid="" if owner else envelope.envid,
            ret="" if owner else envelope.ret,
        )

    def _head(self, queue_id: str, now: float, delivered: str) -> bytes:
        head = f"Received: by {self._host} ({self._mail_name})\r\n\tid {queue_id}; {mail_date(time.localtime(now))}\r\n"
        if self._prepend:
            head += f"Delivered-To: {quote(delivered)}\r\n"
        return encode(head)


def _recipient(run: Run, owner: str, address: str) -> Recipient:
    """With an owner the sender is another one, and what the first one asked for is no longer his to hear."""
    if owner:
        return Recipient(address, "", Notify.UNSET, "")
    return Recipient(address, run.original, run.notify, run.recipient.orcpt)


def _failure(error: MailError) -> tuple[str, str]:
    if error.reply.permanent:
        return error.reply.enhanced or "5.0.0", error.reply.text
    return "4.3.0", "unable to forward message"
