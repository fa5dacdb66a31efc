"""Passing a message's content on to the sink: our Received first, then what the client sends, within the size limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.receive import lines
from mailer.receive.content import MessageTop
from mailer.receive.received import login_line, tls_lines

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession
    from mailer.receive.transaction import Transaction

__all__ = ["Intake"]


class Intake:
    """Takes the content of one message. ``too_big`` once message_size_limit is passed: the rest is read and dropped.

    :param mailbox_lines: whether mailbox lines at the top become headers (see MessageTop).
    """

    __slots__ = ("_limit", "_log", "_top", "_transaction", "_unfinished", "_write", "too_big")

    def __init__(self, session: SmtpSession, transaction: Transaction, mailbox_lines: bool = True) -> None:
        service, writer = session.service, transaction.writer
        self._transaction = transaction
        self._limit = service.message_size_limit
        self._log = service.log
        self._write = writer.write
        self._top: MessageTop | None = MessageTop(mailbox_lines)
        self._unfinished = 0  # octets since the last line end
        self.too_big = False
        if transaction.filtered:
            for field in transaction.envelope.prepend:
                self._write(field + b"\r\n")
            if session.forwarded:  # we are one of several filters
                return
        if not session.header_source:
            session.header_source = service.received.source(session.client, _added(session))
        protocol = "UTF8SMTP" if transaction.envelope.smtputf8 else session.protocol
        if session.state.tls is not None and protocol != "SMTP":
            protocol += "S"
        if session.client.sasl_username and protocol != "SMTP":
            protocol += "A"
        self._write(service.received.header(session.header_source, protocol, writer.queue_id, transaction.sole))

    def take(self, content: bytes) -> None:
        """A piece of content, perhaps empty."""
        if not content:
            return
        transaction = self._transaction
        transaction.size += len(content)
        end = content.rfind(b"\n") + 1
        self._unfinished = len(content) - end if end else self._unfinished + len(content)
        if self._limit and transaction.size > self._limit and not self.too_big:
            self.too_big = True
            self._log.warning(lines.too_big(transaction.queue_id))
            # The lines that fit are still looked at: the log names the message.
            content = content[: max(0, self._limit - transaction.size + len(content))]
            content = content[: content.rfind(b"\n") + 1]
        elif self.too_big:
            return
        if self._top is not None:
            content = self._top.feed(content)
            if self._top.settled:
                self._top = None
        if content:
            self._write(content)

    def cut_short(self, waiting: bytes) -> None:
        """The rest of the message does not come: its size is that of its whole lines, with those in ``waiting``."""
        end = waiting.rfind(b"\n") + 1
        self._transaction.size += end if end else -self._unfinished

    def finish(self) -> None:
        """No more content: what was held back is passed on, the last line gets its end."""
        if self._unfinished:
            self.take(b"\r\n")
        if self._top is not None and not self.too_big:
            held = self._top.feed(b"", last=True)
            if held:
                self._write(held)


def _added(session: SmtpSession) -> str:
    """What stands in Received between ``from`` and ``by``."""
    service, tls, login = session.service, session.state.tls, session.client.sasl_username
    added = tls_lines(tls) if tls is not None and service.tls.received_header else ""
    if login and service.sasl is not None and service.sasl.authenticated_header:
        added += login_line(login)
    return added
