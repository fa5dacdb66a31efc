"""Opening the sink for a message: at its first good recipient, when the log first names its queue id.

With a before-queue content filter that is where the message goes instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.receive.filter.handover import Handover

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession
    from mailer.receive.transaction import Transaction

__all__ = ["open_message", "open_filter"]


def open_message(session: SmtpSession, transaction: Transaction) -> None:
    """:raise MailError: no message can be taken now."""
    service = session.service
    writer = service.sink.open(transaction.envelope, session.connection)
    transaction.writer = writer
    session.state.queue_id = writer.queue_id
    _log_client(session, writer.queue_id)


async def open_filter(session: SmtpSession, transaction: Transaction) -> None:
    """:raise FilterRefused: the before-queue filter does not want the message, or is not to be had."""
    through = session.service.before_queue
    assert through is not None
    handover = Handover(through, session, transaction.command)
    await handover.open()
    transaction.writer, transaction.filtered = handover, True
    _log_client(session, "NOQUEUE")


def _log_client(session: SmtpSession, queue_id: str) -> None:
    forwarded = session.forwarded
    session.service.log.info(queue_id + session.client_line + (_origin(forwarded) if forwarded else ""))


def _origin(forwarded: dict[str, str]) -> str:
    """What XFORWARD told of the client in front of the one that we see."""
    name, address = forwarded.get("NAME", ""), forwarded.get("ADDR", "")
    text = f", orig_queue_id={forwarded['IDENT']}" if forwarded.get("IDENT") else ""
    return text + (f", orig_client={name or 'unknown'}[{address or 'unknown'}]" if name or address else "")
