"""BDAT (RFC 3030): content in counted chunks, several of them perhaps.

A chunk that cannot be taken is read all the same, and so are those after it, until the last one or RSET.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailer.net.server import ServerConnection
from mailer.receive import lines
from mailer.receive.commands.command import Command
from mailer.receive.ending import end_of_message
from mailer.receive.filter.filter import FilterRefused
from mailer.receive.intake import Intake
from mailer.receive.replies import reply_lines

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession
    from mailer.receive.transaction import Transaction

__all__ = ["Bdat"]

_ARGUMENT = re.compile(r"\s*(\d{1,19})(\s+LAST)?\s*", re.IGNORECASE | re.ASCII).fullmatch
_LARGEST = (1 << 63) - 1


class Bdat(Command):
    name = "BDAT"

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        if "CHUNKING" in session.discarded:
            return session.refuse("521 5.5.1 Error: command not implemented")
        match = _ARGUMENT(argument)
        if match is None or int(match.group(1)) > _LARGEST:
            queue_id = session.transaction.queue_id if session.transaction is not None else ""
            session.service.log.warning(lines.bad_chunk(queue_id, session.printable, line))
            return session.refuse("521 5.5.4 Syntax: BDAT count [LAST]")
        count, last = int(match.group(1)), match.group(2) is not None
        if session.chunking == "failed":
            await _drop(session.connection, count)
            if last:
                session.reset()
            return session.refuse(f"551 5.0.0 Discarded {count} bytes after earlier error")
        refusal = await self._refusal(session, count, last)
        if refusal:
            if session.transaction is not None:
                session.transaction.abort()
            await _drop(session.connection, count)
            session.reset()
            session.chunking = "" if last else "failed"
            return session.refuse(*refusal)
        assert session.transaction is not None
        return await self._receive(session, session.transaction, count, last)

    async def _refusal(self, session: SmtpSession, count: int, last: bool) -> list[str]:
        """The reply, line by line, if this chunk cannot be taken."""
        service, transaction = session.service, session.transaction
        if transaction is None:
            return ["503 5.5.1 Error: need RCPT command"]
        if not transaction.recipients or transaction.finished:
            return ["554 5.5.1 Error: no valid recipients"]
        if not count and not last:
            service.log.warning(lines.empty_chunk(transaction.queue_id, session.printable))
            return ["551 5.7.1 Null BDAT request"]
        if service.message_size_limit and transaction.size + count > service.message_size_limit:
            service.log.warning(lines.chunk_too_big(transaction.queue_id, session.printable))
            return ["552 5.3.4 Chunk exceeds message size limit"]
        if not session.chunking:
            session.state.protocol_state = "BDAT"
            reply = await session.check(service.access.data(session.state))
            if reply is not None:
                session.log_rejection(reply_lines(reply)[0])
                return reply_lines(reply)
            if transaction.filtered:
                try:
                    await transaction.writer.command("DATA", 3)
                except FilterRefused as refused:
                    return refused.lines
        return []

    async def _receive(self, session: SmtpSession, transaction: Transaction, count: int, last: bool) -> bool:
        connection = session.connection
        if transaction.intake is None:
            transaction.intake = Intake(session, transaction, mailbox_lines=False)
        intake: Intake = transaction.intake
        session.chunking = "open"
        reader = connection.machine.expect_chunk(count, transaction.after_cr)
        connection.begin_message()
        while not reader.ended:
            intake.take(await connection.content())
        connection.end_message()
        connection.machine.end_content()
        transaction.after_cr = reader.after_cr
        transaction.bare |= reader.bare
        if not last:
            session.say(f"250 2.0.0 Ok: {count} bytes\r\n".encode())
            return True
        session.chunking = ""
        intake.finish()
        return await end_of_message(session, transaction, intake, transaction.bare, counted=True)


async def _drop(connection: ServerConnection, count: int) -> None:
    reader = connection.machine.expect_chunk(count)
    while not reader.ended:
        await connection.content()
    connection.machine.end_content()
