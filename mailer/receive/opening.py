"""Opening the sink for a message: at its first good recipient, when the log first names its queue id."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession
    from mailer.receive.transaction import Transaction

__all__ = ["open_message"]


def open_message(session: SmtpSession, transaction: Transaction) -> None:
    """:raise MailError: no message can be taken now."""
    service = session.service
    writer = service.sink.open(transaction.envelope, session.connection)
    transaction.writer = writer
    session.state.queue_id = writer.queue_id
    service.log.info(writer.queue_id + session.client_line + (_origin(session.forwarded) if session.forwarded else ""))


def _origin(forwarded: dict[str, str]) -> str:
    """What XFORWARD told of the client in front of the one that we see."""
    name, address = forwarded.get("NAME", ""), forwarded.get("ADDR", "")
    text = f", orig_queue_id={forwarded['IDENT']}" if forwarded.get("IDENT") else ""
    return text + (f", orig_client={name or 'unknown'}[{address or 'unknown'}]" if name or address else "")
