"""DATA (RFC 5321 4.1.1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.net.server import Lost, TimedOut
from mailer.receive.commands.command import Command
from mailer.receive.ending import end_of_message
from mailer.receive.filter.filter import FilterRefused
from mailer.receive.intake import Intake
from mailer.receive.replies import START_DATA

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Data"]


class Data(Command):
    name = "DATA"
    ends_group = True

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        transaction = session.transaction
        if session.chunking:
            return session.refuse("503 5.5.1 Error: DATA after BDAT")
        if transaction is None:
            return session.refuse("503 5.5.1 Error: need RCPT command")
        if not transaction.recipients or transaction.finished:
            return session.refuse("554 5.5.1 Error: no valid recipients")
        if argument and argument.strip():
            return session.refuse("501 5.5.4 Syntax: DATA")
        session.state.protocol_state = "DATA"
        reply = await session.check(session.service.access.data(session.state))
        if reply is not None:
            return session.reject(reply)
        if transaction.filtered:
            try:
                await transaction.writer.command(line, 3)
            except FilterRefused as refused:
                return session.refuse(*refused.lines)
        session.say(START_DATA)
        return await self._receive(session)

    async def _receive(self, session: SmtpSession) -> bool:
        transaction, connection = session.transaction, session.connection
        assert transaction is not None
        machine = connection.machine
        intake = Intake(session, transaction)
        reader = machine.expect_data(session.bare_newline != "no")
        connection.begin_message()
        try:
            while not reader.ended:
                intake.take(await connection.content())
        except (Lost, TimedOut):
            intake.cut_short(reader.waiting)
            raise
        connection.end_message()
        machine.end_content()
        intake.finish()
        return await end_of_message(session, transaction, intake, reader.bare)
